"""End an exchange over a socket after a time: the look-up of the name, the connection, and however slowly it sends."""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from mft_common.exchanges.errors import AddressRefused

_Found = Sequence[tuple[Any, ...]] | BaseException


class Deadline:
    """Ends what is done in its block `seconds` after it was entered, by an error of the class OSError.

    Connected sockets are shut down then, because a time limit of each read would never end a far side that drips.
    """

    def __init__(self, seconds: float) -> None:
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True
        self.is_over = False

    def connect(
        self, host: str, port: int, timeout: float, permit: Callable[[str, int], bool] | None = None
    ) -> socket.socket:
        """Return a socket that is connected to the first address of a host that accepts, and shut down in time.

        Each address is tried for `timeout` seconds at most, which is the socket's limit for each read afterwards.
        AddressRefused, and no connection, where `permit` refuses one of the addresses.
        """
        failed: OSError = OSError("the name has no address")
        found = self._look_up(host, port)
        if permit is not None and not all(permit(address[0], port) for *_, address in found):
            raise AddressRefused("the host has an address that may not be reached")
        for family, kind, protocol, _, address in found:
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(min(timeout, self._left()))
                made.connect(address)
                made.settimeout(timeout)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._guard(made)
            except OSError as error:
                made.close()
                failed = error
            else:
                return made
        raise failed

    def _look_up(self, host: str, port: int) -> Sequence[tuple[Any, ...]]:
        """Return the addresses of a host; a name service that does not answer in time is left to a thread of its own.

        The system's call cannot be ended from outside, and has its own limits, which may be longer.
        """
        answers: queue.SimpleQueue[_Found] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except BaseException as error:  # noqa: BLE001 -- raised again by the thread that waits
                answers.put(error)

        threading.Thread(target=ask, name="look-up", daemon=True).start()
        try:
            found = answers.get(timeout=self._left())
        except queue.Empty:
            raise TimeoutError("the name service did not answer in time") from None
        if isinstance(found, BaseException):
            raise found
        return found

    def _left(self) -> float:
        """Return how many seconds are left; TimeoutError where none is."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole exchange is over")
        return left

    def _guard(self, connection: socket.socket) -> None:
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
        self._end = time.monotonic() + self._seconds
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
