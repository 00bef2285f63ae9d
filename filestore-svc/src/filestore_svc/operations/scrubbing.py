"""Read every stored content again, and tell which of them are not what was stored (S17)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from filestore_svc.store import files
from filestore_svc.store.blobs import Blobs, pages
from mft_common.database import Database

_AT_ONCE: Final = 500
_BLOCK: Final = 1 << 20
_ANY_AGE: Final = -3600.0


@dataclass(frozen=True)
class Finding:
    """A content that is not what it should be: `path` is empty for one that nothing refers to."""

    kind: Literal["mismatch", "missing", "orphan"]
    fileset: int
    path: str = ""


class Scrub:
    """Compares bytes with rows. It changes nothing, and may run beside a hub that works; `checked` counts contents."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self.checked = 0

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong, one content after the other, at last those that nothing refers to."""
        suspects = [each for ids in pages(self._blobs, _ANY_AGE) for each in self._unknown(ids)]
        last = 0
        while rows := self._rows(last):
            for last, path, size, sha256 in rows:
                self.checked += 1
                kind = self._compare(last, size, sha256)
                if kind is not None and self._unchanged(last):
                    yield Finding(kind, last, path)
        # An upload may have been between its bytes and its row when they were first looked at.
        for fileset in self._unknown(suspects):
            yield Finding("orphan", fileset)

    def _compare(self, fileset: int, size: int, sha256: str) -> Literal["mismatch", "missing"] | None:
        digest = hashlib.sha256()
        count = 0
        try:
            with self._blobs.open(fileset) as blob:
                while block := blob.read(_BLOCK):
                    digest.update(block)
                    count += len(block)
        except FileNotFoundError:
            return "missing"
        except OSError:
            # A disk that cannot read a content has lost it.
            return "mismatch"
        return None if (count, digest.hexdigest()) == (size, sha256) else "mismatch"

    def _rows(self, last: int) -> list[tuple[int, str, int, str]]:
        with self._database.read() as connection:
            return files.after(connection, last, _AT_ONCE)

    def _unchanged(self, fileset: int) -> bool:
        """Say whether the file is still there: one that was deleted meanwhile may well have no bytes any more."""
        with self._database.read() as connection:
            return any(row[0] == fileset for row in files.after(connection, fileset - 1, 1))

    def _unknown(self, ids: list[int]) -> list[int]:
        lost: list[int] = []
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            with self._database.read() as connection:
                known = files.known(connection, some)
            lost += [each for each in some if each not in known]
        return lost
