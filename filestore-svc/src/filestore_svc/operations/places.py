"""Find files by path or by fileset, subject to the access lists of their folders."""

from dataclasses import dataclass

import sqlalchemy as sa

from filestore_svc.domain.files import MOST_FILESET, Folder, Right, StoredFile
from filestore_svc.domain.paths import Target
from filestore_svc.errors import NoFile, NoFileset, NoSuch, RequestRejected
from filestore_svc.operations.access import Access
from filestore_svc.store import files
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.statements import ReadConnection

_LONGEST_ID = len(str(MOST_FILESET))


@dataclass(frozen=True)
class Place:
    """A file that was found, with its folder. `only`: it was named by its fileset, and no later content replaces it."""

    folder: Folder
    file: StoredFile
    missing: RequestRejected
    only: bool = False

    def still(self, connection: sa.Connection, now: int) -> StoredFile:
        """Return the current file, locked until the commit; raise `missing` where there is none."""
        file = files.lock(connection, self.folder, self.file.name)
        if file is None or 0 < file.expires_at <= now or (self.only and file.fileset != self.file.fileset):
            raise self.missing
        return file


class Places:
    """The lookups, each with its check of rights."""

    def __init__(self, access: Access, database: Database, now: Clock) -> None:
        self._access = access
        self._database = database
        self._now = now

    def named(
        self,
        account: str,
        target: Target,
        right: Right,
        only_folder: RequestRejected,
        missing: RequestRejected | None = None,
    ) -> Place:
        """Find a file by its path; `only_folder`, NoRight, NoPath, and `missing` (NoFile) where there is none."""
        if target.only_folder:
            raise only_folder
        missing = missing or NoFile(target.name)

        def look(connection: ReadConnection) -> tuple[Folder, StoredFile | None]:
            folder = self._access.folder_of(connection, target, account, right, only_folder)
            return folder, files.named(connection, folder, target.name)

        folder, file = self._database.query_cached((account, target, right), look)
        if file is None or 0 < file.expires_at <= self._now():
            raise missing
        return Place(folder, file, missing)

    def numbered(self, account: str, fileset: str, right: Right) -> Place:
        """Find a file by the text of its fileset id; NoFileset, NoRight, and NoSuch for a text that is no id."""
        if not fileset:
            raise NoFileset
        number, missing = _number(fileset), NoSuch(fileset)

        def look(connection: ReadConnection) -> tuple[Folder | None, StoredFile]:
            found = files.by_fileset(connection, number, self._now()) if number else None
            if found is None:
                raise missing
            path, file = found
            return self._access.allowed(connection, path, account, right), file

        folder, file = self._database.query(look)
        if folder is None:
            raise missing
        return Place(folder, file, missing, only=True)


def _number(text: str) -> int:
    """Parse a fileset id; 0 for a text that is none: `0`, `01`, `+1`, and numbers beyond every fileset (D22)."""
    plain = text.isascii() and text.isdigit() and not text.startswith("0")
    return int(text) if plain and len(text) <= _LONGEST_ID else 0
