"""Split what a program writes into lines, while it runs and up to a limit."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

_READ: Final = 1 << 16
# A program that writes without a pause must not keep its parent from looking at the clock.
_BLOCKS_AT_ONCE: Final = 16
# In bytes: a longer line is handed over in parts.
LONGEST_LINE: Final = 8192
_LINES_AT_ONCE: Final = 500

StreamName = Literal["stdout", "stderr", ""]


@dataclass(frozen=True)
class Line:
    """A line that a program wrote to `stream`, without its end; "" is the stream of the note about the limit.

    Bytes that are not UTF-8 are U+FFFD.
    """

    stream: StreamName
    text: str


# Called with at most 500 lines of at most LONGEST_LINE bytes each.
OnLines = Callable[[Sequence[Line]], None]


class Output:
    """Both streams of a program: at most `limit` bytes and `lines` lines of them are handed to `on_lines`, then a note.

    `cut` says that there was more. None is no limit of lines; a line that is handed over in parts counts as these.
    """

    def __init__(self, limit: int, on_lines: OnLines, lines: int | None = None) -> None:
        self.cut = False
        self._limit = limit
        self._left = limit
        self._most_lines = lines
        self._lines = 0
        self._full = False
        self._on_lines = on_lines

    def take(self, block: bytes) -> bytes:
        """Return the part of a block that is within the limit."""
        kept = block[: self._left]
        self._left -= len(kept)
        return kept

    def give(self, lines: Sequence[Line], *, cut: bool) -> None:
        """Hand lines over, and at the first cut the note."""
        if self._full:
            return
        note = f"The output is cut after {self._limit} bytes." if cut else ""
        self._lines += len(lines)
        if self._most_lines is not None and self._lines > self._most_lines:
            lines = lines[: self._most_lines - self._lines]
            note = f"The output is cut after {self._most_lines} lines."
            self._left, self._full = 0, True
        if note and not self.cut:
            self.cut = True
            lines = [*lines, Line("", note)]
        for start in range(0, len(lines), _LINES_AT_ONCE):
            self._on_lines(lines[start : start + _LINES_AT_ONCE])


class OutputStream:
    """One stream of a program; `descriptor` is the end of its pipe that is read."""

    def __init__(self, name: StreamName, descriptor: int, output: Output) -> None:
        self.descriptor = descriptor
        self._name: StreamName = name
        self._output = output
        self._rest = b""
        os.set_blocking(descriptor, False)

    def read(self) -> bool:
        """Read what is there, and hand over its whole lines; False at the end of the stream."""
        for _ in range(_BLOCKS_AT_ONCE):
            try:
                block = os.read(self.descriptor, _READ)
            except BlockingIOError:
                return True
            if not block:
                return False
            kept = self._output.take(block)
            lines = self._split(kept)
            cut = len(kept) < len(block)
            self._output.give([*lines, *self._last()] if cut else lines, cut=cut)
        return True

    def end(self) -> None:
        """Read what is left in the pipe, which nobody writes to any more, and hand over a last line without an end."""
        self.read()
        self._output.give(self._last(), cut=False)

    def _split(self, block: bytes) -> list[Line]:
        *whole, self._rest = (self._rest + block).split(b"\n")
        lines = [Line(self._name, text) for line in whole for text in _parts(line.removesuffix(b"\r"))]
        if len(self._rest) > LONGEST_LINE:
            *parts, last = _cut_up(self._rest)
            lines += [_line(self._name, part) for part in parts]
            self._rest = last
        return lines

    def _last(self) -> list[Line]:
        rest, self._rest = self._rest, b""
        return [Line(self._name, text) for text in _parts(rest)] if rest else []


def _line(name: StreamName, part: bytes) -> Line:
    return Line(name, part.decode("utf-8", "replace"))


def _parts(line: bytes) -> list[str]:
    return [part.decode("utf-8", "replace") for part in _cut_up(line)]


def _cut_up(line: bytes) -> list[bytes]:
    """Return a line as parts of at most LONGEST_LINE bytes, none of which ends within a character of UTF-8."""
    parts = []
    while len(line) > LONGEST_LINE:
        end = LONGEST_LINE
        # At most three bytes that continue a character follow its first one.
        while end > LONGEST_LINE - 3 and line[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(line[:end])
        line = line[end:]
    return [*parts, line]
