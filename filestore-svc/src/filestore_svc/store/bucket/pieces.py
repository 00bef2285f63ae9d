"""Name the objects of a resumable upload in a bucket, and find those that make it up.

The name of a piece tells which bytes it holds. Small pieces are merged into larger ones as more bytes come, so pieces
may overlap: at each position the longest one counts.
"""

import itertools
import re
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

_NAME: Final = re.compile(r"([0-9]{20})(?:-([0-9]+))?-[0-9a-f]{16}")


class Piece(NamedTuple):
    """The bytes `start` to `stop` of an upload, in an object of that name."""

    name: str
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return self.stop - self.start


def new_piece(start: int, size: int) -> Piece:
    """Return a piece with a name that no other writer has, and that sorts by its first byte."""
    return Piece(f"{start:020d}-{size}-{secrets.token_hex(8)}", start, start + size)


def chain(names: Sequence[str], size: int) -> list[Piece]:
    """Return the pieces that make up the first `size` bytes of an upload, in order; OSError where some are missing."""
    longest: dict[int, Piece] = {}
    for piece in _pieces(names, size):
        if piece.start not in longest or piece.stop > longest[piece.start].stop:
            longest[piece.start] = piece
    found: list[Piece] = []
    position = 0
    while position < size:
        piece = longest.get(position, Piece("", position, position))
        if not position < piece.stop <= size:
            raise OSError(f"an upload of {size} bytes has {position} in its pieces")
        found.append(piece)
        position = piece.stop
    return found


def _pieces(names: Sequence[str], size: int) -> list[Piece]:
    """Read names. One without a length, as former versions gave, ends where the next piece begins."""
    read = [match for name in names if (match := _NAME.fullmatch(name)) is not None]
    exact = [Piece(match[0], int(match[1]), int(match[1]) + int(match[2])) for match in read if match[2]]
    known = {piece.start for piece in exact}
    starts = sorted({int(match[1]) for match in read} | {size})
    following = dict(itertools.pairwise(starts))
    others = [(match[0], int(match[1])) for match in read if not match[2]]
    return exact + [Piece(name, start, following[start]) for name, start in others if start not in known]
