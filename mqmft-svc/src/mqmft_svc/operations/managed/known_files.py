"""Know the files of a transfer: those that move or have changed are in memory, all others in the database (244)."""

from itertools import islice
from typing import Any, Final

from mft_common.database import Database
from mqmft_svc.domain.managed_files import FileCounts, ManagedFile
from mqmft_svc.store import managed as store

_AHEAD: Final = 100
_PAGE_BYTES: Final = 1 << 20
_FILE_BYTES: Final = 2048


class KnownFiles:
    """The files of one transfer, for one thread at a time; positions have no gaps."""

    def __init__(self, database: Database, transfer: str) -> None:
        self._database = database
        self._transfer = transfer
        self._files: dict[int, ManagedFile] = {}
        self._counts: FileCounts | None = None

    def load(self) -> FileCounts:
        """Read all files of earlier runs once, to count them; return the counts, which follow each change."""
        if self._counts is None:
            counts = FileCounts()
            with self._database.read() as connection:
                for file in store.each_file(connection, self._transfer):
                    counts.add(file)
            self._counts = counts
        return self._counts

    def page(self, after: int) -> list[dict[str, Any]]:
        """Return some of the stored files behind a position, as plain data; a message has a limit of bytes."""
        page: list[dict[str, Any]] = []
        size = 0
        with self._database.read() as connection:
            for file in store.each_file(connection, self._transfer, after):
                page.append(file.to_json())
                # A character has six bytes at most in a message.
                size += _FILE_BYTES + 6 * (len(file.source) + len(file.destination) + len(file.description))
                if size > _PAGE_BYTES:
                    break
        return page

    def __getitem__(self, position: int) -> ManagedFile:
        """Return a file as it is now; KeyError."""
        if position not in self._files and position < self.load().files:
            with self._database.read() as connection:
                # The files move in their order: the next ones will be asked for as well.
                for one in islice(store.each_file(connection, self._transfer, position - 1), _AHEAD):
                    self._files.setdefault(one.position, one)
        return self._files[position]

    def put(self, file: ManagedFile) -> None:
        """Take a file that is new or has changed."""
        counts = self.load()
        if file.position < counts.files:
            counts.remove(self[file.position])
        counts.add(file)
        self._files[file.position] = file

    def forget(self) -> None:
        """Keep those alone that move; all changes are in the database."""
        self._files = {position: one for position, one in self._files.items() if one.state == "moving"}
