"""Receive a resumable upload into a bucket, as objects of which each can become a part of the file."""

from collections.abc import Sequence
from typing import Final

from filestore_svc.store.bucket.client import BucketClient
from filestore_svc.store.bucket.pieces import Piece, chain, new_piece
from filestore_svc.store.partials import Check

# A bucket refuses parts of less than 5 MiB but for the last one, and more than 10,000 of them. Pieces of the larger
# sizes from 24 GiB on make room for 330 GiB.
LEAST_PART: Final = 5 << 20
_PIECE: Final = 8 << 20
_LARGE_PIECE: Final = 64 << 20
_LARGE_FROM: Final = 24 << 30


class BucketPartial:
    """The open upload `partial/<upload>/`, of which the first `offset` bytes are in the objects `names`.

    A piece that is too small to become a part is merged with the bytes that follow it, once there are enough of both.
    So the completion copies pieces inside the bucket, and has no byte to send but those of the last small ones.
    """

    def __init__(self, client: BucketClient, upload: str, offset: int, check: Check, names: Sequence[str]) -> None:
        self._client = client
        self._folder = f"partial/{upload}/"
        self._check = check
        self._start = offset
        self._held = bytearray()
        self._new: list[str] = []
        # The small pieces at the end of what is there.
        self._tail = _tail(chain(names, offset))

    def append(self, block: memoryview | bytes, /) -> None:
        """Hold the bytes, and send an object when there are enough for one."""
        self._check()
        self._held += block
        if self._size >= (_PIECE if self._start < _LARGE_FROM else _LARGE_PIECE):
            self._send()

    def sync(self) -> Sequence[str]:
        """Send the bytes that are held; return the names of the objects that are new since the last call."""
        if self._held:
            self._send()
        names, self._new = self._new, []
        return names

    def close(self) -> None:
        """Do nothing: no connection is open."""

    @property
    def _size(self) -> int:
        """How many bytes a merged piece would have."""
        return sum(piece.size for piece in self._tail) + len(self._held)

    def _send(self) -> None:
        start, content = self._start, bytes(self._held)
        end = start + len(content)
        large = self._size >= _least(self._tail[0].start if self._tail else start)
        if large and self._tail:
            start = self._tail[0].start
            content = b"".join([*map(self._read, self._tail), content])
        piece = new_piece(start, len(content))
        self._client.put(self._folder + piece.name, content)
        self._tail = [] if large else [*self._tail, piece]
        self._new.append(piece.name)
        self._start = end
        self._held = bytearray()

    def _read(self, piece: Piece) -> bytes:
        content = self._client.read_all(self._folder + piece.name)
        if len(content) != piece.size:
            raise OSError(f"{piece.name} holds {len(content)} bytes")
        return content


def _least(start: int) -> int:
    return LEAST_PART if start < _LARGE_FROM else _LARGE_PIECE


def _tail(pieces: Sequence[Piece]) -> list[Piece]:
    tail: list[Piece] = []
    for piece in reversed(pieces):
        if piece.size >= LEAST_PART:
            break
        tail.insert(0, piece)
    return tail
