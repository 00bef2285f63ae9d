"""Remove blobs that belong to no file, a page of the store at a time."""

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
        ids, following = self._blobs.page(cursor, age)
        with self._database.read() as connection:
            orphans = set(ids) - files.known(connection, ids) if ids else set()
        removed = sum(map(self._removed, orphans))
        self._claims.advance(_NAME, cursor, following)
        if removed:
            logs.get("sweeping").info("orphans.removed", count=removed)
        return removed

    def _removed(self, fileset: int) -> bool:
        try:
            self._blobs.remove(fileset)
        except OSError as error:
            logs.get("sweeping").warning("blob.undeletable", fileset=fileset, error=repr(error))
            return False
        return True
