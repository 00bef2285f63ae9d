"""Convert the line ends of files in ASCII mode, and compare their sizes within the tolerance (21, 74)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from mft_common.endpoints.errors import Mismatch
from mft_common.transfer.steps.text import TargetEnds, Text

# Sizes may differ by a tenth of the source's.
_TOLERANCE: Final = 10


class TextMode:
    """Converts one file; every try has a new `step`.

    A size outside the tolerance is a Mismatch, so that the file is tried again, as often as `retries` says; after that
    the file passes, and `problem` says what is wrong with it.
    """

    def __init__(self, name: str, ends: TargetEnds, retries: int) -> None:
        self.problem = ""
        self._name = name
        self._ends = ends
        self._left = retries

    def step(self) -> "LineEnds":
        """Return the step of one try."""
        self.problem = ""
        return LineEnds(self._ends, self._compare)

    def _compare(self, read: int, made: int) -> None:
        if abs(read - made) * _TOLERANCE <= read:
            return
        problem = f"{made} bytes of text were made of {read}, which is more than 10 % apart"
        if self._left:
            self._left -= 1
            raise Mismatch(f"{self._name}: {problem}")
        self.problem = problem


class LineEnds:
    """The step: LF and CR LF become the ends of lines that are wanted; all other bytes stay as they are.

    `compare(read, made)` is called with both sizes at the end of the file.
    """

    def __init__(self, ends: TargetEnds, compare: Callable[[int, int], None]) -> None:
        # Latin-1 has a character for each byte: no byte is changed but those of the line ends.
        self._text = Text("latin-1", "latin-1", from_ends="lf_or_crlf", to_ends=ends)
        self._compare = compare
        self._read = self._made = 0

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Return the text that is complete so far."""
        self._read += len(block)
        yield from self._counted(self._text.feed(block))

    def finish(self) -> Iterator[bytes]:
        """Return the rest; Mismatch as `compare` says."""
        yield from self._counted(self._text.finish())
        self._compare(self._read, self._made)

    def close(self) -> None:
        """Release the text."""
        self._text.close()

    def _counted(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self._made += len(block)
            yield block
