"""End an exchange over a socket after a time, however slowly its far side sends."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Deadline:
    """Shuts the guarded sockets down `seconds` after the block was entered; a time limit a read would never end it."""

    def __init__(self, seconds: float) -> None:
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True
        self.is_over = False

    def guard(self, connection: socket.socket) -> None:
        """Guard a connected socket, by a descriptor of our own: TLS moves the given one to another object."""
        own = socket.fromfd(connection.fileno(), connection.family, connection.type)
        with self._lock:
            self._sockets.append(own)
        if self.is_over:
            self._shut_down()

    def _shut_down(self) -> None:
        self.is_over = True
        with self._lock:
            for own in self._sockets:
                with contextlib.suppress(OSError):
                    own.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for own in self._sockets:
                own.close()
            self._sockets.clear()
