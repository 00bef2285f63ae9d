"""A web server on loopback that takes the body of each upload slowly, or not at all for a while, and keeps it."""

import contextlib
import hashlib
import json
import socket
import ssl
import threading

_BUFFER = 64 << 10


class SlowReader:
    """Takes `at_once` bytes of a body, then nothing for `pause` seconds, and so on; answers as all stores here do.

    With `tls`, the files of a certificate and its key, it speaks HTTPS.
    """

    def __init__(self, at_once, pause, tls=None):
        self._at_once, self._pause = at_once, pause
        self._context = None
        if tls is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(*tls)
        self._listener = socket.socket()
        # Connections inherit it: else the kernel would take the whole body at once.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.bodies = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                thread = threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), contextlib.ExitStack() as closing:
            closing.enter_context(connection)
            if self._context is not None:
                connection = closing.enter_context(self._context.wrap_socket(connection, server_side=True))
            incoming = closing.enter_context(connection.makefile("rb", buffering=0))
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (byte := incoming.read(1)):
                    return
                head += byte
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            body = self._body(incoming, int(fields.get(b"content-length", 0)))
            if body:
                self.bodies.append(body)
            status = b"404 Not Found" if head.startswith(b"HEAD") else b"201 Created"
            answer = json.dumps({"upload": "1"}).encode() if head.startswith((b"POST", b"PATCH")) else b""
            tag = hashlib.md5(body).hexdigest().encode()
            connection.sendall(
                b'HTTP/1.1 %b\r\nETag: "%b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b'
                % (status, tag, len(answer), answer)
            )

    def _body(self, incoming, size):
        body = bytearray()
        taken = 0
        while len(body) < size and not self._over.is_set():
            block = incoming.read(min(_BUFFER, size - len(body)))
            if not block:
                break
            body += block
            taken += len(block)
            if taken >= self._at_once:
                taken = 0
                self._over.wait(self._pause)
        return bytes(body)
