"""Split the bytes of a file into messages, whatever blocks they come in (228)."""

from collections.abc import Iterator
from typing import Final, Protocol

from mqmft_svc.domain.queues import MOST_MESSAGE, delimiter_bytes, piece_size
from mqmft_svc.domain.submissions import Destination
from mqmft_svc.operations.managed.problems import NotPossible

_TOO_LARGE: Final = f"a message would have more than {MOST_MESSAGE >> 20} MiB"


class Splitter(Protocol):
    """Splits one file; raises NotPossible for a message that would be too large."""

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Take the next bytes of the file, and yield the messages that are complete."""
        ...

    def finish(self) -> Iterator[bytes]:
        """Yield the last message; an empty file is one empty message."""
        ...


def splitter_of(destination: Destination, most: int = MOST_MESSAGE) -> Splitter:
    """Return what splits a file as a request asks for."""
    if destination.delimiter_type == "size":
        return Sized(piece_size(destination.delimiter))
    if destination.delimiter_type == "binary":
        is_prefix = destination.delimiter_position == "prefix"
        delimiter = delimiter_bytes(destination.delimiter)
        return Delimited(delimiter, prefix=is_prefix, include=destination.include_delimiter, most=most)
    return Whole(most)


class Whole:
    """The file is one message."""

    def __init__(self, most: int = MOST_MESSAGE) -> None:
        self._most = most
        self._buffer = bytearray()

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Keep the bytes."""
        self._buffer += block
        if len(self._buffer) > self._most:
            raise NotPossible(_TOO_LARGE)
        return iter(())

    def finish(self) -> Iterator[bytes]:
        """Yield the file."""
        yield bytes(self._buffer)


class Sized:
    """Each message has `size` bytes, and the last one the rest."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._buffer = bytearray()
        self._any = False

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield the pieces that are full."""
        self._buffer += block
        start = 0
        while len(self._buffer) - start >= self._size:
            self._any = True
            yield bytes(self._buffer[start : start + self._size])
            start += self._size
        del self._buffer[:start]

    def finish(self) -> Iterator[bytes]:
        """Yield the rest."""
        if self._buffer or not self._any:
            yield bytes(self._buffer)


class Delimited:
    """Each message ends with the delimiter, or begins with it where that is its `prefix`.

    Bytes behind the last delimiter, or before the first one that is a prefix, are a message as well; no bytes are none.
    """

    def __init__(self, delimiter: bytes, *, prefix: bool, include: bool, most: int = MOST_MESSAGE) -> None:
        self._delimiter = delimiter
        self._before = delimiter if include and prefix else b""
        self._after = delimiter if include and not prefix else b""
        self._prefix = prefix
        self._most = most
        # The bytes since the last delimiter, and whether there was one.
        self._buffer = bytearray()
        self._found = False
        self._any = False

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield the messages whose end was found; a delimiter may lie across two blocks."""
        start, width = 0, len(self._delimiter)
        search = max(0, len(self._buffer) - width + 1)
        self._buffer += block
        while (at := self._buffer.find(self._delimiter, search)) >= 0:
            yield from self._message(self._buffer[start:at], after=self._after, is_last=False)
            self._found = True
            start = search = at + width
        del self._buffer[:start]
        if len(self._buffer) > self._most:
            raise NotPossible(_TOO_LARGE)

    def finish(self) -> Iterator[bytes]:
        """Yield what is behind the last delimiter."""
        yield from self._message(self._buffer, after=b"", is_last=True)

    def _message(self, body: bytearray, *, after: bytes, is_last: bool) -> Iterator[bytes]:
        is_message = bool(body)
        if self._prefix:
            # A delimiter begins a message, also an empty one.
            is_message = is_message or self._found
        elif not is_last:
            is_message = True
        if is_message or (is_last and not self._any):
            self._any = True
            yield (self._before if self._found else b"") + bytes(body) + after
