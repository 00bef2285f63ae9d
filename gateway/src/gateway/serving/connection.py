"""One client's connection between its requests: handshake, heads that arrive in pieces, lingering close."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from gateway.serving.channel import Channel
from gateway.serving.limits import ServingLimits
from mft_common.http1.request_head import RequestHead, RequestHeadError, check_partial_head, parse_request_head

_READ = 16 << 10


class Stage(Enum):
    """The state of a connection that waits without a thread."""

    HANDSHAKE = auto()
    HEAD = auto()
    IDLE = auto()
    LINGER = auto()


class Connection:
    """A client's connection. The thread that took it out of the waiting ones owns it alone."""

    def __init__(
        self,
        sock: socket.socket,
        peer: tuple[str, int],
        base: dict[str, Any],
        limits: ServingLimits,
        tls: ssl.SSLContext | None,
        *,
        saturated: Callable[[], bool],
    ) -> None:
        sock.setblocking(False)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self.sock = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.base = base
        self.channel = Channel(sock, limits, saturated)
        self.stage = Stage.HANDSHAKE if tls is not None else Stage.HEAD
        self.deadline = time.monotonic() + limits.head_time
        self.buffer = bytearray()
        self.to_write = False
        # Set once no more is read from it before it is closed.
        self.ignored = False
        self._limits = limits
        self._to_drain = limits.linger_size

    def handshake(self) -> bool:
        """Continue the TLS handshake; False while it waits (`to_write` says for what). OSError ends it."""
        self.to_write = False
        try:
            self.sock.do_handshake()  # type: ignore[attr-defined]
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self.to_write = True
            return False
        self.stage = Stage.HEAD
        return True

    def read(self) -> bool:
        """Append the bytes that have arrived to the buffer; False when there are none. Raises OSError at the end."""
        self.to_write = False
        try:
            block = self.sock.recv(_READ)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except ssl.SSLWantWriteError:
            self.to_write = True
            return False
        if not block:
            raise ConnectionResetError("the client closed")
        self.buffer += block
        return True

    def take_head(self) -> tuple[RequestHead, bytes] | None:
        """Return the next request's head and the bytes after it, None while it is incomplete.

        Raises RequestHeadError.
        """
        buffer = self.buffer
        while buffer[:2] == b"\r\n":
            # Old clients send an empty line before a request (RFC 9112, 2.2).
            del buffer[:2]
        if not buffer:
            return None
        if self.stage is Stage.IDLE:
            self.stage = Stage.HEAD
            self.deadline = time.monotonic() + self._limits.head_time
        limits = self._limits
        end = buffer.find(b"\r\n\r\n", 0, limits.head_size)
        if end < 0:
            check_partial_head(bytes(buffer), limits.line_size, limits.head_size - 1)
            return None
        if buffer.find(b"\r\n", 0, limits.line_size + 2) < 0:
            raise RequestHeadError(414, "the request line is too long")
        head = parse_request_head(bytes(buffer[: end + 4]), limits.head_fields)
        rest = bytes(buffer[end + 4 :])
        self.buffer = bytearray()
        return head, rest

    def begin_next(self, leftover: bytes) -> None:
        """Wait for the next request, of which `leftover` has arrived already."""
        self.buffer = bytearray(leftover)
        self.stage = Stage.IDLE
        self.deadline = time.monotonic() + self._limits.keepalive

    def begin_linger(self) -> bool:
        """End the sending side; False when the connection can be closed at once.

        A close with unread bytes would reset the connection, and the client might never read the response.
        """
        if self.sock.fileno() < 0:
            return False
        try:
            if self.channel.tls:
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    self.sock.unwrap()  # type: ignore[attr-defined]
            self.sock.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            return False
        self.stage = Stage.LINGER
        self.deadline = time.monotonic() + self._limits.linger
        return self.drain()

    def drain(self) -> bool:
        """Read and drop what the client still sends; False when it has ended.

        After `linger_size` bytes no more is read: the client's sending then stalls, and it reads the response before
        the connection is closed.
        """
        self.to_write = False
        try:
            while self._to_drain > 0:
                block = self.sock.recv(min(self._to_drain, 1 << 16))
                if not block:
                    return False
                self._to_drain -= len(block)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except (OSError, ValueError):
            return False
        self.ignored = True
        return True

    def close(self) -> None:
        """Close at once."""
        with contextlib.suppress(OSError):
            self.sock.close()
