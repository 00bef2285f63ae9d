"""Read every stored content again and compare it with its row (S17)."""

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


Kind = Literal["mismatch", "missing", "unreadable", "orphan"]


@dataclass(frozen=True)
class Finding:
    """A content that differs from its row, is missing, cannot be read, or has no row; `path` is empty for the last."""

    kind: Kind
    fileset: int
    path: str = ""


class Scrub:
    """Compares bytes with rows, and changes neither; a hub may run meanwhile. `checked` counts the contents read."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self.checked = 0

    def findings(self) -> Iterator[Finding]:
        """Yield the findings in the order of filesets, orphans last."""
        suspects = [each for ids in pages(self._blobs, _ANY_AGE) for each in self._unknown(ids)]
        last = 0
        while rows := self._rows(last):
            for last, path, size, sha256 in rows:
                self.checked += 1
                kind = self._compare(last, size, sha256)
                if kind is not None and self._unchanged(last):
                    yield Finding(kind, last, path)
        # The first look may have seen the bytes of an upload that had no row yet.
        for fileset in self._unknown(suspects):
            yield Finding("orphan", fileset)

    def _compare(self, fileset: int, size: int, sha256: str) -> Kind | None:
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
            # A bad disk, or a bucket that is away: nothing is known of the content.
            return "unreadable"
        return None if (count, digest.hexdigest()) == (size, sha256) else "mismatch"

    def _rows(self, last: int) -> list[tuple[int, str, int, str]]:
        with self._database.read() as connection:
            return files.after(connection, last, _AT_ONCE)

    def _unchanged(self, fileset: int) -> bool:
        """Return whether the file still exists: one that was deleted meanwhile may have no bytes any more."""
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
