"""Keep what a run has found in a private file, in order: memory does not grow with the number of files (244)."""

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import TransferError, os_errors
from mqmft_svc.domain.managed_files import ManagedFile

_NAME: Final = "a private file"
_PAGE: Final = 200
# The file is this process's alone and gone with it: nothing of it is needed after a crash.
_SETUP: Final = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA cache_size = -1024",
    "CREATE TABLE listed (key BLOB PRIMARY KEY, value TEXT) WITHOUT ROWID",
    "CREATE TABLE skipped (key INTEGER PRIMARY KEY, value TEXT)",
    "CREATE TABLE known (item INTEGER, source BLOB, PRIMARY KEY (item, source)) WITHOUT ROWID",
    "CREATE TABLE waiting (key INTEGER PRIMARY KEY, value TEXT)",
    "BEGIN",
)


@dataclass(frozen=True)
class Listed:
    """A file of the source: its path below the folder of the item, and how it was listed, or why it cannot be."""

    relative: str
    path: str
    entry: Entry | None
    failure: str = ""


@dataclass(frozen=True)
class Waiting:
    """A file to be moved, and how this run has listed it; None where an earlier run has found it."""

    file: ManagedFile
    entry: Entry | None = None


class Spool:
    """The files that are listed for one item, those that earlier runs have found, and those that wait to be moved.

    A failure of the file is a TransferError.
    """

    def __init__(self, folder: Path) -> None:
        with os_errors(_NAME):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder)
            os.close(handle)
        try:
            with _errors():
                self._rows = sqlite3.connect(name, isolation_level=None)
                for statement in _SETUP:
                    self._rows.execute(statement)
        finally:
            Path(name).unlink()

    def close(self) -> None:
        """Remove the file."""
        self._rows.close()

    def begin_item(self) -> None:
        """Forget what was listed for another item, or in another try."""
        self._execute("DELETE FROM listed")
        self._execute("DELETE FROM skipped")

    def add_listed(self, file: Listed) -> None:
        """Add a file of the item."""
        self._execute("INSERT OR REPLACE INTO listed VALUES (?, ?)", _place_of(file.relative), json.dumps(asdict(file)))

    def listed(self) -> Iterator[Listed]:
        """Yield the files of the item by name, step by step of their paths."""
        for value in self._values("listed", b""):
            entry = value.pop("entry")
            yield Listed(entry=None if entry is None else Entry(**entry), **value)

    def count_listed(self) -> int:
        """Return how many files the item has."""
        return int(self._execute("SELECT count(*) FROM listed").fetchone()[0])

    def add_skipped(self, path: str, why: str) -> None:
        """Add a name that the listing passed over."""
        self._execute("INSERT INTO skipped (value) VALUES (?)", json.dumps([path, why]))

    def skipped(self) -> Iterator[tuple[str, str]]:
        """Yield the names that the listing passed over."""
        yield from self._values("skipped", -1)

    def add_known(self, file: ManagedFile) -> None:
        """Note that an earlier run has found a file."""
        self._execute("INSERT OR REPLACE INTO known VALUES (?, ?)", file.item, _bytes_of(file.source))

    def has_known(self, item: int) -> bool:
        """Return whether an earlier run has found files of an item."""
        return self._execute("SELECT 1 FROM known WHERE item = ? LIMIT 1", item).fetchone() is not None

    def is_known(self, item: int, source: str) -> bool:
        """Return whether an earlier run has found this file of an item."""
        found = self._execute("SELECT 1 FROM known WHERE item = ? AND source = ?", item, _bytes_of(source))
        return found.fetchone() is not None

    def add_waiting(self, one: Waiting) -> None:
        """Add a file that is to be moved."""
        self._execute("INSERT OR REPLACE INTO waiting VALUES (?, ?)", one.file.position, json.dumps(asdict(one)))

    def waiting(self) -> Iterator[Waiting]:
        """Yield the files that are to be moved, in the order of the record."""
        for value in self._values("waiting", -1):
            entry = value["entry"]
            yield Waiting(ManagedFile.from_json(value["file"]), None if entry is None else Entry(**entry))

    def _values(self, table: str, before: bytes | int) -> Iterator[Any]:
        """Yield the values of a table by their keys, page by page."""
        query = f"SELECT key, value FROM {table} WHERE key > ? ORDER BY key LIMIT {_PAGE}"  # noqa: S608 -- our own names
        while page := self._execute(query, before).fetchall():
            for _, value in page:
                yield json.loads(value)
            before = page[-1][0]

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        with _errors():
            return self._rows.execute(statement, values)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TransferError(f"{_NAME}: {error}") from error


def _bytes_of(text: str) -> bytes:
    # In the order of the characters, also of those that stand for bytes of a name that are no UTF-8.
    return text.encode("utf-8", "surrogatepass")


def _place_of(path: str) -> bytes:
    """Return what sorts like the list of the steps of a path."""
    return b"\0".join(map(_bytes_of, path.split("/")))
