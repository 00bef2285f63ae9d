"""Be an FTP server that gives the answers and the listing that it was told to give, over plain sockets."""

import contextlib
import socket
import threading

from mft_common.endpoints.targets import Target, Timeouts

_USUAL = {
    "USER": b"331 password\r\n",
    "PASS": b"230 logged in\r\n",
    "PWD": b'257 "/"\r\n',
    "FEAT": b"211-f\r\n MLST type*;size*;modify*;\r\n SIZE\r\n211 end\r\n",
}
NO_FACTS = b"211-f\r\n SIZE\r\n211 end\r\n"


class LyingFtp:
    """One thread a connection. `answers` are sent in place of the usual ones; an `endless` greeting is repeated."""

    def __init__(self, *, answers=None, listing=b"", greeting=b"220 hello\r\n", endless=False):
        self._answers = {**_USUAL, **(answers or {})}
        self._listing = listing
        self._greeting = greeting
        self._endless = endless
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def target(self):
        port = self._listener.getsockname()[1]
        return Target(
            scheme="ftp", host="127.0.0.1", port=port, user="u", password="p", timeouts=Timeouts(connect=5, idle=5)
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.sendall(self._greeting)
            while self._endless:
                connection.sendall(self._greeting * 1000)
            data = None
            for line in connection.makefile("rb"):
                command = line.split()[0].decode().upper()
                if command == "PASV" and command not in self._answers:
                    data = socket.create_server(("127.0.0.1", 0))
                    port = data.getsockname()[1]
                    connection.sendall(b"227 passive (127,0,0,1,%d,%d)\r\n" % (port >> 8, port & 255))
                elif command in ("MLSD", "LIST"):
                    connection.sendall(b"150 here it comes\r\n")
                    with data, data.accept()[0] as stream:
                        stream.sendall(self._listing)
                    connection.sendall(b"226 done\r\n")
                else:
                    connection.sendall(self._answers.get(command, b"200 fine\r\n"))
