"""Make one object of the pieces of a resumable upload, inside the bucket."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from filestore_svc.store.bucket.client import BucketClient
from filestore_svc.store.bucket.partials import LEAST_PART
from filestore_svc.store.bucket.pieces import Piece, chain
from filestore_svc.store.partials import Digested, Watch

_AT_ONCE: Final = 16
_BLOCK: Final = 1 << 20


class BucketWhole:
    """A complete upload, staged under the id of its blob as a multipart upload that only has to be completed.

    The bucket copies its pieces; only runs of pieces that are too small for a part are read and sent again. The
    bytes behind the `digested` ones are read and digested, and all are where there is a `watch`.
    """

    md5 = None

    def __init__(
        self, client: BucketClient, upload: str, fileset: int, size: int, names: Sequence[str], *,
        digested: Digested, watch: Watch | None,
    ) -> None:  # fmt: skip
        self.fileset = fileset
        self.size = size
        self.sha256 = digested.sha256
        self._client = client
        self._key = f"blobs/{fileset}"
        self._folder = f"partial/{upload}/"
        self._upload = ""
        pieces = chain(names, size)
        try:
            self._parts = self._copy(pieces, digested.size, watch)
        except BaseException:
            self.discard()
            raise

    def write(self, block: memoryview | bytes, /) -> object:
        """Refuse: the content is complete."""
        raise OSError(f"{len(block)} bytes more than there are")

    def finish(self) -> None:
        """Do nothing: every byte is digested."""

    def keep(self) -> None:
        """Make the object visible; return when the bucket has acknowledged it, in its full size."""
        if not self._parts:
            self._client.put(self._key, b"")
            return
        self._client.complete(self._key, self._upload, self._parts)
        self._upload = ""
        if (size := self._client.size(self._key)) != self.size:
            raise OSError(f"an upload of {self.size} bytes has {size} in the bucket")

    def discard(self) -> None:
        """Abort the upload; one that cannot be reached now is aborted by its age."""
        upload, self._upload = self._upload, ""
        if upload:
            with contextlib.suppress(OSError):
                self._client.abort(self._key, upload)

    def _copy(self, pieces: Sequence[Piece], digested: int, watch: Watch | None) -> list[dict[str, Any]]:
        """Read what is to be digested or watched, then copy the parts in several threads.

        A scanner may take hours to read, and a multipart upload without a new part is aborted after one.
        """
        if not pieces:
            return []
        self._read(pieces, digested, watch)
        self._upload = self._client.begin(self._key)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="copy") as pool:
            copying = [pool.submit(self._part, number, group) for number, group in enumerate(_parts(pieces), 1)]
            try:
                return [each.result() for each in copying]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _part(self, number: int, group: Sequence[Piece]) -> dict[str, Any]:
        if len(group) == 1:
            return self._client.copy_part(self._key, self._upload, number, self._folder + group[0].name)
        content = b"".join(self._client.read_all(self._folder + piece.name) for piece in group)
        return self._client.part(self._key, self._upload, number, content)

    def _read(self, pieces: Sequence[Piece], digested: int, watch: Watch | None) -> None:
        for piece in pieces:
            if piece.stop <= digested and watch is None:
                continue
            position = piece.start
            with contextlib.closing(self._client.get(self._folder + piece.name, 0)) as body:
                while block := self._client.read(body, _BLOCK):
                    self.sha256.update(block[max(digested - position, 0) :])
                    position += len(block)
                    if watch is not None:
                        watch(block)
            if position != piece.stop:
                raise OSError(f"{piece.name} holds {position - piece.start} bytes")


def _parts(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces of each part: those that are large enough alone, small ones with what follows them."""
    group: list[Piece] = []
    for piece in pieces:
        group.append(piece)
        if sum(each.size for each in group) >= LEAST_PART:
            yield group
            group = []
    if group:
        yield group
