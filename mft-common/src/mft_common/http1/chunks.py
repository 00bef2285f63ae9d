"""Decode a body in chunks while it arrives (RFC 9112, 7.1)."""

from collections.abc import Callable
from typing import Final

from mft_common.http1.grammar import CHUNK_LINE, TRAILER_LINE

_MAX_LINE: Final = 4096
_MAX_TRAILERS: Final = 32
_LEAST_READ: Final = 64 << 10


class MalformedChunks(ValueError):  # noqa: N818 -- reads as what it is where it is raised
    """The chunks of a body break the grammar, or end before the last one."""


class ChunkDecoder:
    """Reads data from chunks that `receive(size)` returns piece by piece, empty at the end of the connection.

    `received` is what has come already. Extensions and trailers are checked and left out.
    """

    def __init__(self, receive: Callable[[int], bytes], received: bytes) -> None:
        self.ended = False
        self._receive = receive
        self._buffer = received
        self._at = 0
        self._in_chunk = 0
        self._begun = False

    @property
    def buffered(self) -> bool:
        """True when bytes have come that are not decoded yet."""
        return self._at < len(self._buffer)

    @property
    def rest(self) -> bytes:
        """The bytes that are not decoded yet; after the end of the body, those of the next message."""
        return self._buffer[self._at :]

    def read(self, wanted: int) -> bytes:
        """Return the next bytes of the body as soon as there are any, empty at its end; `wanted` is how many suit.

        Raises MalformedChunks, and what `receive` raises.
        """
        if self.ended:
            return b""
        if not self._in_chunk and not self._next_chunk():
            self.ended = True
            return b""
        if self._at >= len(self._buffer):
            self._buffer = self._more(min(self._in_chunk + 2, max(wanted, _LEAST_READ)))
            self._at = 0
        block = self._buffer[self._at : self._at + self._in_chunk]
        self._at += len(block)
        self._in_chunk -= len(block)
        return block

    def _next_chunk(self) -> bool:
        """Read to the first byte of the next chunk's data; False when the last chunk and the trailers were read."""
        if self._begun and self._line():
            raise MalformedChunks("a chunk is longer than its size")
        self._begun = True
        match = CHUNK_LINE.fullmatch(self._line())
        if match is None:
            raise MalformedChunks("a chunk's size or extension is malformed")
        self._in_chunk = int(match[1], 16)
        if self._in_chunk:
            return True
        for _ in range(_MAX_TRAILERS):
            line = self._line()
            if not line:
                return False
            if TRAILER_LINE.fullmatch(line) is None:
                raise MalformedChunks("a trailer is malformed")
        raise MalformedChunks("too many trailers")

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n", self._at, self._at + _MAX_LINE)) < 0:
            if len(self._buffer) - self._at >= _MAX_LINE:
                raise MalformedChunks("a line is too long")
            self._buffer = self._buffer[self._at :] + self._more(_LEAST_READ)
            self._at = 0
        line, self._at = self._buffer[self._at : end], end + 1
        if line[-1:] != b"\r":
            raise MalformedChunks("a line ends without a carriage return")
        return line[:-1]

    def _more(self, size: int) -> bytes:
        block = self._receive(size)
        if not block:
            raise MalformedChunks("the connection ended before the last chunk")
        return block
