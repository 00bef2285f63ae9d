"""Talk and listen to a scanner at the same time, and keep connections that can be used again."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Final

from filestore_svc.domain.scanning import ScannerPlace
from filestore_svc.wire.icap.answers import Answer
from filestore_svc.wire.icap.failures import ScannerAway, ScannerSilent

_CONNECT_S: Final = 5.0
_BLOCK: Final = 64 << 10
_MOST_IDLE: Final = 16
_LATER: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A connection on which neither side waits for the other to listen.

    A scanner may answer before it has all, and some give the content back while it still arrives: whoever only sends
    then waits for one that only sends too. `timeout` is how long nothing at all may happen, in seconds.
    """

    def __init__(self, place: ScannerPlace, tls: ssl.SSLContext | None, timeout: float) -> None:
        self._timeout = timeout
        with _told():
            plain = socket.create_connection((place.host, place.port), min(timeout, _CONNECT_S))
        self._socket = plain
        try:
            with _told():
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if tls is not None:
                    self._socket = tls.wrap_socket(plain, server_hostname=place.host)
                self._socket.setblocking(False)
        except BaseException:
            plain.close()
            raise

    def send(self, data: bytes, answer: Answer, enough: Callable[[], bool]) -> bool:
        """Send, and hear what comes meanwhile; False when that was `enough` before all was sent."""
        rest = memoryview(data)
        while rest:
            self._hear(answer)
            if enough():
                return False
            try:
                with _told():
                    rest = rest[self._socket.send(rest) :]
            except _LATER:
                if not self._wait(select.POLLIN | select.POLLOUT):
                    raise ScannerAway(f"the scanner took nothing for {self._timeout:g} s") from None
        return True

    def listen(self, answer: Answer, enough: Callable[[], bool]) -> bool:
        """Hear until it is `enough`; ScannerAway when the other side ends before, ScannerSilent when it is silent."""
        while not enough():
            if not self._hear(answer) and not enough() and not self._wait(select.POLLIN):
                raise ScannerSilent(f"the scanner said nothing for {self._timeout:g} s")
        return True

    def idle(self) -> bool:
        """True while the other side has neither closed the connection nor sent what nobody asked for."""
        try:
            self._socket.recv(1)
        except _LATER:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _hear(self, answer: Answer) -> bool:
        heard = False
        while not answer.complete:
            try:
                with _told():
                    data = self._socket.recv(_BLOCK)
            except _LATER:
                break
            if not data:
                raise ScannerAway("the scanner closed the connection")
            answer.feed(data)
            heard = True
        return heard

    def _wait(self, events: int) -> bool:
        """Wait for something to happen; False when nothing did for too long."""
        poll = select.poll()
        poll.register(self._socket, events)
        return bool(poll.poll(self._timeout * 1000))


class Connections:
    """The connections of this process to one scanner: at most `most` at a time, None for any number."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self.most: int | None = None
        self._connect = connect
        self._idle: list[Connection] = []
        self._busy = 0
        self._changed = threading.Condition()

    def take(self, *, wait: float) -> Connection | None:
        """Return a connection to use; None when none is to be had at once, or in `wait` seconds.

        Whoever does not wait has to leave one half of them to those who do: an upload that arrives slowly keeps its
        connection for long, and others have to get their verdict.
        """
        with self._changed:
            if not wait and self.most is not None and self._busy >= self.most // 2:
                return None
            if wait and not self._changed.wait_for(self._free, wait):
                return None
            self._busy += 1
            # What waits may have been tried on one that was kept open already, so it gets a new one.
            kept = [] if wait else self._idle
            found = next(_usable(kept), None)
        try:
            return found or self._connect()
        except BaseException:
            self.drop(None)
            raise

    def keep(self, connection: Connection) -> None:
        """Take back a connection for somebody else."""
        with self._changed:
            self._busy -= 1
            self._changed.notify()
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def drop(self, connection: Connection | None) -> None:
        """Take back one that is of no more use."""
        with self._changed:
            self._busy -= 1
            self._changed.notify()
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._changed:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _free(self) -> bool:
        return self.most is None or self._busy < max(1, self.most)


def _usable(kept: list[Connection]) -> Iterator[Connection]:
    """Take out of `kept` what is still open; close the others."""
    while kept:
        connection = kept.pop()
        if connection.idle():
            yield connection
        else:
            connection.close()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Tell what a socket raises as what it means; that it would have to wait is no failure."""
    try:
        yield
    except _LATER:
        raise
    except OSError as error:
        raise ScannerAway(f"the scanner does not answer: {error.strerror or type(error).__name__}") from error
