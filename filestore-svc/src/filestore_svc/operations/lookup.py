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
class FoundFile:
    """A file that was found, with its folder, and the error to raise when it is gone meanwhile.

    `only_this_content`: it was named by its fileset, so no later content of the same name replaces it.
    """

    folder: Folder
    file: StoredFile
    missing: RequestRejected
    only_this_content: bool = False

    def lock_current(self, connection: sa.Connection, now: int) -> StoredFile:
        """Return the current file, locked until the commit; raise `missing` where there is none."""
        file = files.lock(connection, self.folder, self.file.name)
        if file is None or 0 < file.expires_at <= now or (self.only_this_content and file.fileset != self.file.fileset):
            raise self.missing
        return file


class FileLookup:
    """The lookups, each with its check of rights."""

    def __init__(self, access: Access, database: Database, now: Clock) -> None:
        self._access = access
        self._database = database
        self._now = now

    def by_path(
        self,
        account: str,
        target: Target,
        right: Right,
        only_folder: RequestRejected,
        missing: RequestRejected | None = None,
    ) -> FoundFile:
        """Find a file by its path; `only_folder`, NoRight, NoPath, and `missing` (NoFile) where there is none."""
        if target.only_folder:
            raise only_folder
        missing = missing or NoFile(target.name)

        def read(connection: ReadConnection) -> tuple[Folder, StoredFile | None]:
            folder = self._access.folder_of(connection, target, account, right, only_folder)
            return folder, files.named(connection, folder, target.name)

        folder, file = self._database.query_cached((account, target, right), read)
        if file is None or 0 < file.expires_at <= self._now():
            raise missing
        return FoundFile(folder, file, missing)

    def by_fileset(self, account: str, fileset: str, right: Right) -> FoundFile:
        """Find a file by the text of its fileset id; NoFileset, NoRight, and NoSuch for a text that is no id."""
        if not fileset:
            raise NoFileset
        number, missing = _number(fileset), NoSuch(fileset)

        def read(connection: ReadConnection) -> tuple[Folder | None, StoredFile]:
            found = files.by_fileset(connection, number, self._now()) if number else None
            if found is None:
                raise missing
            path, file = found
            return self._access.allowed(connection, path, account, right), file

        folder, file = self._database.query(read)
        if folder is None:
            raise missing
        return FoundFile(folder, file, missing, only_this_content=True)


def _number(text: str) -> int:
    """Parse a fileset id; 0 for a text that is none: `0`, `01`, `+1`, and numbers beyond every fileset (D22)."""
    plain = text.isascii() and text.isdigit() and not text.startswith("0")
    return int(text) if plain and len(text) <= _LONGEST_ID else 0
