"""A server on loopback that sends one byte after another, without an end."""

import contextlib
import socket
import threading


class Dripping:
    """A receiver whose answer never ends: it sends one byte of it after another, each well within a read's limit."""

    def __init__(self, greeting):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._greeting, self._stop = greeting, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                connection.sendall(self._greeting)
                while not self._stop.wait(0.05):
                    connection.sendall(b"x")

    def close(self):
        """Stop sending."""
        self._stop.set()
        self._server.close()
        self._thread.join(10)
