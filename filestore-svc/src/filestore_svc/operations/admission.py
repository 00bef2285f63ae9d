"""Refuse an upload whose declared length alone shows that it cannot be taken, before any of its body is read (S1)."""

from filestore_svc.domain.files import Folder
from filestore_svc.domain.limits import Limits, account_of
from filestore_svc.errors import NoSpace, TooLarge
from filestore_svc.operations.metering import SMALL
from filestore_svc.store import quotas
from filestore_svc.store.blobs import Blobs
from mft_common.database import Database


class Admission:
    """Knows the limits, and looks at quotas and disk as they are now; nothing is asked of the database without quotas.

    Only what is certain is refused: whoever is let in is measured again while the bytes arrive, and at the commit.
    """

    def __init__(self, database: Database, blobs: Blobs, limits: Limits) -> None:
        self._database = database
        self._blobs = blobs
        self._limits = limits

    def check(self, folder: Folder, owner: str, size: int, name: str = "") -> None:
        """Raise TooLarge or NoSpace where `owner` can store no file of `size` bytes or more in `folder` at present.

        `name` is that of the file, empty while nobody knows it.
        """
        if not size:
            return
        if self._limits.file is not None and size > self._limits.file:
            raise TooLarge
        if self._limits.quotas_over(folder.path, owner):
            self._check_quotas(folder, owner, size, name)
        free = self._blobs.free()
        if free is not None and size > free:
            raise NoSpace

    def _check_quotas(self, folder: Folder, owner: str, size: int, name: str) -> None:
        """Count as the upload itself will: a large one beside what it replaces, a small one in its place."""
        over = self._limits.quotas_over(folder.path, owner)
        small = size <= SMALL
        with self._database.read() as connection:
            used = quotas.used(connection, over)
            replaced, whose = quotas.replaced(connection, folder.id, name) if small and name else (0, "")
        for key, most in over.items():
            given_back = replaced if account_of(key) in (None, whose) else 0
            # A small file of a name that is not known yet may replace whatever there is.
            counted = 0 if small and not name else used.get(key, 0) - given_back
            if counted + size > most:
                raise NoSpace
