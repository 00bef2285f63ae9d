"""Remove blobs that belong to no file, a page of the store at a time."""

import time
from collections.abc import Sequence
from typing import Final

from filestore_svc.operations.claims import Claims
from filestore_svc.store import counts, files
from filestore_svc.store.blobs import PAGE, Blobs
from mft_common import logs
from mft_common.database import Database

ORPHAN_S: Final = 3600.0
_NAME: Final = "orphans"
_DAY_MS: Final = 86_400_000


class OrphanScan:
    """Walks through the store once a day. Workers share the walk: each page is read by one of them."""

    def __init__(self, database: Database, blobs: Blobs, claims: Claims) -> None:
        self._database = database
        self._blobs = blobs
        self._claims = claims

    def step(self, age: float = ORPHAN_S) -> int | None:
        """Read the page that is due; return how many blobs without a file were removed, None when no page is due.

        Blobs are removed that were stored more than `age` seconds ago. The pages of a pass are spread over a day.
        """
        with self._database.read() as connection:
            pages = counts.all_files(connection) // PAGE + 1
        cursor = self._claims.claim(_NAME, _DAY_MS // pages)
        if cursor is None:
            return None
        limit = time.time() - age
        ids, following = self._blobs.page(cursor, age)
        removed = sum(self._removed(fileset, limit) for fileset in sorted(self._unknown(ids)))
        self._claims.advance(_NAME, cursor, following)
        if removed:
            logs.get("sweeping").info("orphans.removed", count=removed)
        return removed

    def _unknown(self, ids: Sequence[int]) -> set[int]:
        if not ids:
            return set()
        with self._database.read() as connection:
            return set(ids) - files.known(connection, ids)

    def _removed(self, fileset: int, limit: float) -> bool:
        """Remove an orphan unless an upload has got its id: a database of a backup gives out ids once more.

        The removal of a page takes a while, so each blob is looked at again. That of a new upload is younger than
        `limit`, or was registered before it was stored.
        """
        try:
            if self._blobs.stored_at(fileset) >= limit or not self._unknown((fileset,)):
                return False
            self._blobs.remove(fileset)
        except FileNotFoundError:
            return False
        except OSError as error:
            logs.get("sweeping").warning("blob.undeletable", fileset=fileset, error=repr(error))
            return False
        return True
