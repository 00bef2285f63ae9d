"""A server on loopback that accepts connections and never answers, or stops in the middle of an answer."""

import contextlib
import socket
import threading

# The bytes of a server before the first request, and those of its answer after which it goes silent: in the middle of
# a file over plain HTTP, where each request is answered, else within the handshake or the login.
WEB = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nLast-Modified: Sun, 29 Nov 2026 00:00:00 GMT\r\nContent-Length: 9999\r\n\r\n'
PARTS = {
    "sftp": (b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00\x00\x05"),
    "ftp": (b"220 ready\r\n", b"331 pass"),
    "ftps": (b"220 ready\r\n", b"234 AUTH TLS\r\n"),
    "https": (b"", b"\x16\x03\x03\x00\x7a\x02\x00"),
}


class Peer:
    """Accepts connections on loopback and never answers; with `parts` it stops in the middle of an answer."""

    def __init__(self, parts=(b"", b"")):
        self._parts = parts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.reached = threading.Event()
        self._open = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        before, answer = self._parts
        with contextlib.suppress(OSError):
            connection.sendall(before)
            while answer == WEB and (request := connection.recv(1 << 16)).startswith(b"HEAD "):
                connection.sendall(answer)
            if answer == WEB:
                if not request:
                    return
                connection.sendall(answer + b"some")
            elif answer:
                connection.recv(1 << 16)
                connection.sendall(answer)
            self.reached.set()

    def close(self):
        # A close alone would leave the thread in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._open:
            connection.close()
