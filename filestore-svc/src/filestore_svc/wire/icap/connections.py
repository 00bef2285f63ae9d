"""Send to a scanner and receive from it at the same time, over pooled connections."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Final

from filestore_svc.domain.scanning import ScannerPlace
from filestore_svc.wire.icap.errors import ScannerAway, ScannerSilent
from filestore_svc.wire.icap.responses import IcapResponse

_CONNECT_S: Final = 5.0
_BLOCK: Final = 64 << 10
_MOST_IDLE: Final = 16
_LATER: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A connection that receives while it sends.

    A scanner may respond before it has the whole content, and some return the content while it arrives: a client that
    only sends would then deadlock with it. `timeout` is the longest time without any progress, in seconds.
    """

    def __init__(self, place: ScannerPlace, tls: ssl.SSLContext | None, timeout: float) -> None:
        self._timeout = timeout
        with _socket_errors():
            plain = socket.create_connection((place.host, place.port), min(timeout, _CONNECT_S))
        self._socket = plain
        try:
            with _socket_errors():
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if tls is not None:
                    self._socket = tls.wrap_socket(plain, server_hostname=place.host)
                self._socket.setblocking(False)
        except BaseException:
            plain.close()
            raise

    def send(self, data: bytes, response: IcapResponse, enough: Callable[[], bool]) -> bool:
        """Send, and receive meanwhile; False when the response was `enough` before all was sent."""
        rest = memoryview(data)
        while rest:
            self._receive(response)
            if enough():
                return False
            try:
                with _socket_errors():
                    rest = rest[self._socket.send(rest) :]
            except _LATER:
                if not self._wait(select.POLLIN | select.POLLOUT):
                    raise ScannerAway(f"the scanner took nothing for {self._timeout:g} s") from None
        return True

    def listen(self, response: IcapResponse, enough: Callable[[], bool]) -> bool:
        """Receive until it is `enough`; ScannerAway when the connection ends before, ScannerSilent on a timeout."""
        while not enough():
            if not self._receive(response) and not enough() and not self._wait(select.POLLIN):
                raise ScannerSilent(f"the scanner said nothing for {self._timeout:g} s")
        return True

    def idle(self) -> bool:
        """True while the scanner has neither closed the connection nor sent unexpected bytes."""
        try:
            self._socket.recv(1)
        except _LATER:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _receive(self, response: IcapResponse) -> bool:
        heard = False
        while not response.complete:
            try:
                with _socket_errors():
                    data = self._socket.recv(_BLOCK)
            except _LATER:
                break
            if not data:
                raise ScannerAway("the scanner closed the connection")
            response.feed(data)
            heard = True
        return heard

    def _wait(self, events: int) -> bool:
        """Wait for an event; False after the timeout."""
        poll = select.poll()
        poll.register(self._socket, events)
        return bool(poll.poll(self._timeout * 1000))


class ConnectionPool:
    """The connections of this process to one scanner: at most `most` at a time, None for no limit."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self.most: int | None = None
        self._connect = connect
        self._idle: list[Connection] = []
        self._busy = 0
        self._changed = threading.Condition()

    def take(self, *, wait: float) -> Connection | None:
        """Return a connection; None when none is available at once, or within `wait` seconds.

        Callers that do not wait use at most one half of the connections: an upload that arrives slowly occupies its
        connection for long, and the other half serves complete contents that wait for a verdict.
        """
        with self._changed:
            if not wait and self.most is not None and self._busy >= self.most // 2:
                return None
            if wait and not self._changed.wait_for(self._free, wait):
                return None
            self._busy += 1
            # A waiting content may have failed on a pooled connection before, so it gets a new one.
            kept = [] if wait else self._idle
            found = next(_usable(kept), None)
        try:
            return found or self._connect()
        except BaseException:
            self.drop(None)
            raise

    def keep(self, connection: Connection) -> None:
        """Return a connection to the pool."""
        with self._changed:
            self._busy -= 1
            self._changed.notify()
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def drop(self, connection: Connection | None) -> None:
        """Close a connection that cannot be used again."""
        with self._changed:
            self._busy -= 1
            self._changed.notify()
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._changed:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _free(self) -> bool:
        return self.most is None or self._busy < max(1, self.most)


def _usable(kept: list[Connection]) -> Iterator[Connection]:
    """Yield the open connections of `kept`; close the others."""
    while kept:
        connection = kept.pop()
        if connection.idle():
            yield connection
        else:
            connection.close()


@contextlib.contextmanager
def _socket_errors() -> Iterator[None]:
    """Raise ScannerAway for errors of a socket, and the error itself where the socket would block."""
    try:
        yield
    except _LATER:
        raise
    except OSError as error:
        raise ScannerAway(f"the scanner does not answer: {error.strerror or type(error).__name__}") from error
