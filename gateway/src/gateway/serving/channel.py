"""Read from and write to one client, giving up on it when it pauses too long or moves too slowly."""

import contextlib
import os
import select
import socket
import ssl
import time
from collections.abc import Callable

from gateway.serving.limits import ServingLimits

BLOCK = 256 << 10
_SENDFILE = 8 << 20
Buffer = bytes | bytearray | memoryview


class SlowClientError(OSError):
    """The client paused for too long, or transferred less than the least rate."""


class Channel:
    """A client's non-blocking socket; a thread waits where no byte can be transferred, and only that wait is timed.

    `gone` is set once nothing can be sent any more, so that an error of the client's connection is told from others.
    `saturated()` returns whether other requests wait for the thread that waits here.
    """

    def __init__(self, sock: socket.socket, limits: ServingLimits, saturated: Callable[[], bool]) -> None:
        self.sock = sock
        self.tls = isinstance(sock, ssl.SSLSocket)
        self.sent = 0
        self.gone = False
        self._limits = limits
        self._saturated = saturated
        self._waited = 0.0
        self._moved = 0

    def begin(self) -> None:
        """Reset the counts for a new request."""
        self.sent = 0
        self._waited = 0.0
        self._moved = 0

    def receive(self, size: int = BLOCK) -> bytes:
        """Return at least one byte and at most `size`, empty at the end. Raises SlowClientError, OSError."""
        while True:
            try:
                block = self.sock.recv(size)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
            else:
                self._moved += len(block)
                return block

    def send(self, data: Buffer) -> None:
        """Send all of `data`."""
        rest = data
        while rest:
            try:
                count = self.sock.send(rest)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except OSError:
                self.gone = True
                raise
            else:
                self._moved += count
                self.sent += count
                if count == len(rest):
                    return
                rest = memoryview(rest)[count:]

    def send_parts(self, *parts: bytes) -> None:
        """Send several blocks in one call, large ones without copying them together."""
        if self.tls or sum(map(len, parts)) < BLOCK >> 2:
            self.send(b"".join(parts))
            return
        try:
            count = self.sock.sendmsg(parts)
        except BlockingIOError:
            count = 0
        except OSError:
            self.gone = True
            raise
        self._moved += count
        self.sent += count
        for part in parts:
            if count >= len(part):
                count -= len(part)
            else:
                self.send(memoryview(part)[count:])
                count = 0

    def send_file(self, fd: int, offset: int, count: int) -> bool:
        """Let the kernel send `count` bytes of a file; False when the file ended before that."""
        while count:
            try:
                sent = os.sendfile(self.sock.fileno(), fd, offset, min(count, _SENDFILE))
            except BlockingIOError:
                self._wait(select.POLLOUT)
                continue
            except OSError:
                self.gone = True
                raise
            if not sent:
                return False
            self._moved += sent
            self.sent += sent
            offset += sent
            count -= sent
        return True

    def readable_before(self, other: int) -> bool:
        """Wait for the client or the descriptor `other`; True when the client can be read, or paused for too long."""
        if self.tls and self.sock.pending():  # type: ignore[attr-defined]
            return True
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        poll.register(other, select.POLLIN)
        left = self._limits.idle
        while left > 0:
            turn = min(left, self._limits.saturated_after)
            began = time.monotonic()
            ready = [fd for fd, _ in poll.poll(turn * 1000)]
            took = time.monotonic() - began
            self._count_wait(took, sending=False)
            if ready:
                return other not in ready
            left -= max(took, turn)
        return True

    def abort(self) -> None:
        """Reset the connection, so that the client cannot take an incomplete response for a complete one."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with contextlib.suppress(OSError):
            self.sock.close()

    def _wait(self, events: int) -> None:
        limits = self._limits
        poll = select.poll()
        poll.register(self.sock.fileno(), events)
        left = limits.idle
        while left > 0:
            # poll() takes a negative time for no limit at all.
            turn = max(0.0, min(left, limits.rate_window - self._waited, limits.saturated_after))
            began = time.monotonic()
            ready = poll.poll(turn * 1000)
            took = time.monotonic() - began
            self._count_wait(took, sending=bool(events & select.POLLOUT))
            if ready:
                return
            left -= max(took, turn)
        self.gone = self.gone or bool(events & select.POLLOUT)
        raise SlowClientError("the client paused for too long")

    def _count_wait(self, seconds: float, *, sending: bool) -> None:
        """Add a wait to the window that runs; after one that has ended, with or without an error, a new one begins."""
        limits = self._limits
        self._waited += seconds
        waited, moved = self._waited, self._moved
        over = waited >= limits.rate_window
        if over:
            self._waited, self._moved = 0.0, 0
        # A slow client is served, unless it holds a thread for which other requests wait.
        slow = waited >= limits.saturated_after and moved < limits.saturated_rate * waited
        if slow and not sending and self._saturated():
            raise SlowClientError("the client is too slow while other requests wait")
        if over and moved < limits.rate * waited:
            self.gone = self.gone or sending
            raise SlowClientError("the client is too slow")
