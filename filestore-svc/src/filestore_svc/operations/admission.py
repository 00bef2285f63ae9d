"""Refuse an upload whose declared length alone shows that it cannot be taken, before any of its body is read (S1)."""

from filestore_svc.domain.files import Folder
from filestore_svc.domain.limits import Limits
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

    def check(self, folder: Folder, size: int, name: str = "") -> None:
        """Raise TooLarge or NoSpace where no file of `size` bytes or more can be stored in `folder` as things stand.

        `name` is that of the file, empty while nobody knows it.
        """
        if not size:
            return
        if self._limits.file is not None and size > self._limits.file:
            raise TooLarge
        if over := self._limits.quotas_over(folder.path):
            self._check_quotas(over, folder, size, name)
        free = self._blobs.free()
        if free is not None and size > free:
            raise NoSpace

    def _check_quotas(self, over: dict[str, int], folder: Folder, size: int, name: str) -> None:
        """Count as the upload itself will: a large one beside what it replaces, a small one in its place."""
        with self._database.read() as connection:
            used = quotas.used(connection, over)
            replaced = quotas.size_of(connection, folder.id, name) if name and size <= SMALL else 0
        for path, most in over.items():
            # A small file of a name that is not known yet may replace whatever there is.
            counted = 0 if size <= SMALL and not name else used.get(path, 0) - replaced
            if counted + size > most:
                raise NoSpace
