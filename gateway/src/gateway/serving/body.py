"""A request's body as `wsgi.input`: in large blocks, with a flag for one that broke off."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final

from gateway.serving.channel import BLOCK, Channel

_TOKEN = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_TRAILER = re.compile(rb"[" + _TOKEN + rb"]++:[^\x00-\x08\x0a-\x1f\x7f]*+")
_MAX_LINE: Final = 4096
_MAX_TRAILERS: Final = 32
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class BrokenBodyError(OSError):
    """The chunks of a body are malformed or break off."""


class Body(ABC):
    """A readable stream. `broken` is set once the client's body is known not to be whole.

    A body with a length that breaks off reads as a short stream, as WSGI servers have always done; one in chunks
    raises BrokenBodyError, since nothing else could tell its end.
    """

    def __init__(self, channel: Channel, raw: bytes, *, expects: bool) -> None:
        self.broken = False
        self._channel = channel
        self._raw = raw
        self._text = b""
        self._expects = expects and not raw

    @property
    def at_hand(self) -> int:
        """How many bytes can be read without waiting for the client."""
        return len(self._text)

    @property
    @abstractmethod
    def exhausted(self) -> bool:
        """True when the body was read, or can be skipped, to its end without waiting for the client."""

    @property
    def leftover(self) -> bytes:
        """What came after the body: the begin of the next request."""
        return self._raw

    @abstractmethod
    def _more(self, wanted: int) -> bytes:
        """Return the next bytes of the body, empty at its end."""

    def read1(self, size: int = -1) -> bytes:
        """Return at least one byte and at most `size`, as soon as there are any; empty at the end."""
        block = self._text or self._more(BLOCK if size < 0 else size)
        if 0 <= size < len(block):
            self._text = block[size:]
            return block[:size]
        self._text = b""
        return block

    def read(self, size: int | None = -1) -> bytes:
        """Return `size` bytes, fewer only at the end; all there are without a size."""
        if size is None or size < 0:
            return b"".join(iter(self.read1, b""))
        block = self.read1(size) if size else b""
        if len(block) in (0, size):
            return block
        blocks = [block]
        left = size - len(block)
        while left and (block := self.read1(left)):
            blocks.append(block)
            left -= len(block)
        return b"".join(blocks)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the next line with its end, at most `size` bytes of it."""
        limit = -1 if size is None else size
        parts: list[bytes] = []
        while limit and (block := self.read1(limit)):
            end = block.find(b"\n") + 1
            if end:
                self._text = block[end:] + self._text
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
        if self._text or self._raw:
            return True
        self._invite()
        try:
            return self._channel.readable_before(other)
        except OSError:
            return True

    def _invite(self) -> None:
        """Send the `100 Continue` that the client waits for, now that somebody wants the body."""
        if self._expects:
            self._expects = False
            self._channel.send(_CONTINUE)


class CountedBody(Body):
    """A body of a known length."""

    def __init__(self, channel: Channel, raw: bytes, *, length: int, expects: bool = False) -> None:
        super().__init__(channel, raw[length:], expects=expects and not raw)
        self._text = raw[:length]
        self._left = length - len(self._text)

    @property
    def exhausted(self) -> bool:
        """See Body."""
        return not self._left

    def _more(self, wanted: int) -> bytes:
        if not self._left or self.broken:
            return b""
        try:
            self._invite()
            block = self._channel.receive(min(self._left, max(wanted, 1 << 16)))
        except OSError:
            block = b""
        self.broken = not block
        self._left -= len(block)
        return block


class ChunkedBody(Body):
    """A body in chunks; trailers are checked and left out."""

    def __init__(self, channel: Channel, raw: bytes, *, expects: bool = False) -> None:
        super().__init__(channel, raw, expects=expects)
        self._in_chunk = 0
        self._begun = False
        self._ended = False

    @property
    def exhausted(self) -> bool:
        """See Body."""
        return self._ended and not self._text

    def _more(self, wanted: int) -> bytes:
        if self._ended:
            return b""
        if self.broken:
            raise BrokenBodyError("the body is broken")
        try:
            return self._chunk(wanted)
        except OSError as error:
            self.broken = True
            raise BrokenBodyError(f"the body is broken: {error}") from error

    def _chunk(self, wanted: int) -> bytes:
        if not self._in_chunk:
            if self._begun and self._line() != b"":
                raise BrokenBodyError("a chunk does not end where it should")
            self._begun = True
            match = _CHUNK.fullmatch(self._line())
            if match is None:
                raise BrokenBodyError("a chunk's size is malformed")
            self._in_chunk = int(match[1], 16)
            if not self._in_chunk:
                self._trailers()
                self._ended = True
                return b""
        if not self._raw:
            self._raw = self._receive(min(self._in_chunk + 2, max(wanted, 1 << 16)))
        block, self._raw = self._raw[: self._in_chunk], self._raw[self._in_chunk :]
        self._in_chunk -= len(block)
        return block

    def _trailers(self) -> None:
        for _ in range(_MAX_TRAILERS):
            line = self._line()
            if not line:
                return
            if _TRAILER.fullmatch(line) is None:
                raise BrokenBodyError("a trailer is malformed")
        raise BrokenBodyError("too many trailers")

    def _line(self) -> bytes:
        while (end := self._raw.find(b"\n")) < 0:
            if len(self._raw) > _MAX_LINE:
                raise BrokenBodyError("a line is too long")
            self._raw += self._receive(1 << 16)
        line, self._raw = self._raw[:end], self._raw[end + 1 :]
        if line[-1:] != b"\r" or b"\r" in line[:-1]:
            raise BrokenBodyError("a line does not end as it should")
        return line[:-1]

    def _receive(self, size: int) -> bytes:
        self._invite()
        block = self._channel.receive(size)
        if not block:
            raise BrokenBodyError("it breaks off")
        return block
