"""A request's body as `wsgi.input`: read in large blocks, and never taken for whole where it is not.

The one place that decides it, for every protocol: a body that is cut short, malformed or over its limit raises
RequestBodyError from each read, and the server answers such a request itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final

from gateway.serving.channel import BLOCK, Channel
from mft_common.http1 import RequestBody, RequestBodyError
from mft_common.http1.chunks import ChunkDecoder, MalformedChunks

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LEAST_READ: Final = 64 << 10
# A body of a declared length up to this is there before the application is called.
_SMALL: Final = 64 << 10


class Body(RequestBody, ABC):
    """A readable stream; `error` is set once the body is known to be unusable."""

    def __init__(self, channel: Channel, *, expects_continue: bool) -> None:
        self.error: RequestBodyError | None = None
        self._channel = channel
        self._decoded = b""
        self._awaits_continue = expects_continue
        self._limit_left: int | None = None

    @property
    def available(self) -> int:
        """How many bytes can be read without waiting for the client."""
        return len(self._decoded)

    @property
    @abstractmethod
    def exhausted(self) -> bool:
        """True when the body was read, or can be skipped, to its end without waiting for the client."""

    @property
    @abstractmethod
    def leftover(self) -> bytes:
        """The bytes after the body, with which the next request begins."""

    @abstractmethod
    def _next(self, wanted: int) -> bytes:
        """Return the next bytes of the body, empty at its end. Raises OSError, MalformedChunks."""

    @abstractmethod
    def _has_received(self) -> bool:
        """True when bytes have come that were not read yet."""

    def prefetch(self) -> bool:
        """Read a small body of a declared length to its end; False, and `error` is set, where it is cut short."""
        return True

    def limit(self, most: int) -> None:
        """Let no more than `most` bytes of the body be read."""
        self._limit_left = most

    def read1(self, size: int = -1) -> bytes:
        """Return at least one byte and at most `size`, as soon as there are any; empty at the end."""
        block = self._decoded or self._more(BLOCK if size < 0 else size)
        if 0 <= size < len(block):
            self._decoded = block[size:]
            return block[:size]
        self._decoded = b""
        return block

    def read(self, size: int | None = -1) -> bytes:
        """Return `size` bytes, fewer only at the end; all there are without a size."""
        block = self.read1(-1 if size is None else size) if size != 0 else b""
        if len(block) in (0, size):
            return block
        blocks = [block]
        left = -1 if size is None or size < 0 else size - len(block)
        try:
            while left and (block := self.read1(left)):
                blocks.append(block)
                left -= len(block) if left > 0 else 0
        except RequestBodyError as error:
            error.partial = b"".join(blocks)
            raise
        return b"".join(blocks)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the next line with its end, at most `size` bytes of it."""
        limit = -1 if size is None else size
        parts: list[bytes] = []
        while limit and (block := self.read1(limit)):
            end = block.find(b"\n") + 1
            if end:
                self._decoded = block[end:] + self._decoded
                block = block[:end]
            parts.append(block)
            if end:
                break
            limit -= len(block) if limit > 0 else 0
        return b"".join(parts)

    def readlines(self, _hint: int = -1) -> list[bytes]:
        """Return all lines."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def ready_before(self, other: int) -> bool:
        """Wait until the body can be read (True) or the descriptor `other` can (False), whichever is first."""
        if self._decoded or self.error or self._has_received():
            return True
        try:
            self._send_continue()
            return self._channel.readable_before(other)
        except OSError:
            # The next read meets the same error.
            return True

    def _more(self, wanted: int) -> bytes:
        """Return the next bytes of the body, empty at its end. Raises RequestBodyError."""
        if self.error is not None:
            raise self.error
        try:
            block = self._next(wanted)
        except (OSError, MalformedChunks) as error:
            self.error = RequestBodyError(400, f"the body cannot be read to its end: {error}")
            raise self.error from error
        if self._limit_left is not None:
            self._limit_left -= len(block)
            if self._limit_left < 0:
                self.error = RequestBodyError(413, "the body is larger than its limit")
                raise self.error
        return block

    def _receive(self, size: int) -> bytes:
        self._send_continue()
        return self._channel.receive(size)

    def _send_continue(self) -> None:
        """Send the `100 Continue` for which the client waits, now that the application reads the body."""
        if self._awaits_continue:
            self._awaits_continue = False
            self._channel.send(_CONTINUE)


class CountedBody(Body):
    """A body of a known length."""

    def __init__(self, channel: Channel, received: bytes, *, length: int, expects_continue: bool = False) -> None:
        super().__init__(channel, expects_continue=expects_continue and not received)
        self._decoded = received[:length]
        self._leftover = received[length:]
        self._left = length - len(self._decoded)
        self._small = length <= _SMALL

    @property
    def exhausted(self) -> bool:
        """See Body."""
        return not self._left

    @property
    def leftover(self) -> bytes:
        """See Body."""
        return self._leftover

    def prefetch(self) -> bool:
        """See Body. A client that waits for `100 Continue` gets it only once the application reads the body."""
        if self._left and self._small and not self._awaits_continue:
            blocks = [self._decoded]
            try:
                while self._left:
                    blocks.append(self._more(self._left))
            except RequestBodyError:
                return False
            self._decoded = b"".join(blocks)
        return True

    def limit(self, most: int) -> None:
        """See Body."""
        if self._left + len(self._decoded) > most:
            self.error = RequestBodyError(413, "the body is larger than its limit")
            raise self.error

    def _next(self, wanted: int) -> bytes:
        if not self._left:
            return b""
        block = self._receive(min(self._left, max(wanted, _LEAST_READ)))
        if not block:
            raise ConnectionError(f"{self._left} bytes are missing")
        self._left -= len(block)
        return block

    def _has_received(self) -> bool:
        return False


class ChunkedBody(Body):
    """A body in chunks."""

    def __init__(self, channel: Channel, received: bytes, *, expects_continue: bool = False) -> None:
        super().__init__(channel, expects_continue=expects_continue and not received)
        self._chunks = ChunkDecoder(self._receive, received)

    @property
    def exhausted(self) -> bool:
        """See Body."""
        return self._chunks.ended and not self._decoded

    @property
    def leftover(self) -> bytes:
        """See Body."""
        return self._chunks.rest

    def _next(self, wanted: int) -> bytes:
        return self._chunks.read(wanted)

    def _has_received(self) -> bool:
        return self._chunks.buffered
