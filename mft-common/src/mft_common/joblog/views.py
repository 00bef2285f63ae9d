"""Make frozen views of logs and read them buffer by buffer (E40)."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from mft_common.database import Database
from mft_common.errors import Unavailable
from mft_common.joblog import view_file
from mft_common.joblog.log import JobLog, Record

# Makes one or more lines of a record.
Render = Callable[[Record], str]
_KEPT_PARTS_S: Final = 3600.0


@dataclass(frozen=True)
class View:
    """A view as its owner sees it: `lines` in all, `buffer_lines` in each buffer but the last."""

    id: str
    lines: int
    buffer_lines: int


@dataclass(frozen=True)
class Buffer:
    """Some lines of a view; `first_line` counts from 0 over the whole view."""

    number: int
    first_line: int
    lines: Sequence[str]


class _Content(NamedTuple):
    """The columns of a view's row that say what is in its file, and where that file is."""

    file: str
    subject: str
    contains: str
    last_id: int
    buffer_lines: int


def new_view_id() -> str:
    """Return an id that cannot be guessed."""
    return secrets.token_hex(16)


class Views:
    """The views of one log, at most `most` an owner; the oldest goes when there would be more.

    A view is frozen: records that are written later are not in it, and a purge spares the records of its subject.
    `render` returns a record as one or more lines; a search applies to that text. Files are kept in `folder`, which is
    a cache: another replica, or one whose disk was replaced, builds a view's file again from its row and the records.
    `new_id` makes the ids that owners use; they are looked up in a table and never part of a path.
    """

    def __init__(
        self,
        database: Database,
        log: JobLog,
        folder: Path,
        render: Render,
        *,
        most: int = 50,
        new_id: Callable[[], str] = new_view_id,
    ) -> None:
        self._database = database
        self._log = log
        self._folder = folder
        self._render = render
        self._most = most
        self._new_id = new_id

    def create(self, owner: str, subject: str, *, contains: str = "", buffer_lines: int = 1000) -> View | None:
        """Make a view of the records whose text contains `contains`; None where no record does.

        Unavailable where its file cannot be written.
        """
        file = secrets.token_hex(16)
        with self._database.read() as connection:
            last_id = self._log.last_id(connection, subject)
            if last_id is None:
                return None
            content = _Content(file, subject, contains, last_id, buffer_lines)
            written = self._write(connection, content)
        if not written.lines:
            self._unlink(file)
            return None
        view = View(self._new_id(), written.lines, buffer_lines)
        values = {
            "id": view.id,
            "owner": owner,
            "lines": written.lines,
            "size": written.size,
            "digest": written.digest,
            **content._asdict(),
        }
        try:
            with self._database.write() as connection:
                connection.execute(sa.insert(self._log.views).values(values))
                evicted = self._evict(connection, owner)
        except BaseException:
            self._unlink(file)
            raise
        self._unlink(*evicted)
        return view

    def find(self, owner: str, view_id: str) -> View | None:
        """Return a view of this owner."""
        row = self._row(owner, view_id)
        return None if row is None else View(row.id, row.lines, row.buffer_lines)

    def buffer(self, owner: str, view_id: str, line: int) -> Buffer | None:
        """Return the buffer that contains a line, the first or last one for a line outside; None for no such view.

        A view whose file is gone and whose records have changed since is removed: it could not be the same any more.
        """
        row = self._row(owner, view_id)
        if row is None:
            return None
        number = min(max(line, 0), row.lines - 1) // row.buffer_lines
        lines = self._read(row, number)
        if lines is None:
            lines = self._read(row, number) if self._rebuild(row) else None
        if lines is None:
            self.remove(owner, view_id)
            return None
        return Buffer(number, number * row.buffer_lines, lines)

    def remove(self, owner: str, view_id: str) -> bool:
        """Remove a view and its file; False where the owner has no such view."""
        c = self._log.views.c
        with self._database.write() as connection:
            return bool(self._delete(connection, c.id == view_id, c.owner == owner))

    def remove_of(self, connection: sa.Connection, owner: str) -> None:
        """Remove all views of an owner, whose session ended, in the caller's transaction."""
        self._delete(connection, self._log.views.c.owner == owner)

    def sweep(self) -> int:
        """Remove files of this folder that belong to no view, and unfinished ones of an hour ago; return how many."""
        names = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        with self._database.read() as connection:
            known = set(connection.execute(sa.select(self._log.views.c.file)).scalars())
        # A file is listed before its row is asked for, and may be younger than its row.
        old = [name for name in names if name not in known and self._age(name) > _KEPT_PARTS_S]
        self._unlink(*old)
        return len(old)

    def _age(self, name: str) -> float:
        try:
            return time.time() - (self._folder / name).stat().st_mtime
        except OSError:
            return 0.0

    def _row(self, owner: str, view_id: str) -> Any:
        c = self._log.views.c
        with self._database.read() as connection:
            return connection.execute(sa.select(self._log.views).where(c.id == view_id, c.owner == owner)).one_or_none()

    def _evict(self, connection: sa.Connection, owner: str) -> list[str]:
        c = self._log.views.c
        newest = sa.select(c.number).where(c.owner == owner).order_by(c.number.desc()).limit(self._most)
        gone = sa.delete(self._log.views).where(c.owner == owner, c.number.not_in(newest)).returning(c.file)
        return list(connection.execute(gone).scalars())

    def _delete(self, connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[str]:
        """Delete rows and their files; a file whose row comes back by a rollback is built again."""
        c = self._log.views.c
        files = list(connection.execute(sa.delete(self._log.views).where(*which).returning(c.file)).scalars())
        self._unlink(*files)
        return files

    def _read(self, row: Any, number: int) -> list[str] | None:
        buffers = -(-row.lines // row.buffer_lines)
        return view_file.read(self._folder / row.file, number, buffers=buffers, size=row.size)

    def _rebuild(self, row: Any) -> bool:
        with self._database.read() as connection:
            content = _Content(row.file, row.subject, row.contains, row.last_id, row.buffer_lines)
            written = self._write(connection, content)
        if written.digest == row.digest:
            return True
        self._unlink(row.file)
        return False

    def _write(self, connection: sa.Connection, content: _Content) -> view_file.Written:
        pages = self._rendered(connection, content)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return view_file.write(self._folder / content.file, pages, content.buffer_lines)
        except OSError as error:
            raise Unavailable("the view of the log cannot be stored") from error

    def _rendered(self, connection: sa.Connection, content: _Content) -> Iterator[Sequence[str]]:
        render = self._render
        for page in self._log.pages(connection, content.subject, last_id=content.last_id):
            texts = list(map(render, page))
            if content.contains:
                texts = [text for text in texts if content.contains in text]
            if texts:
                yield texts

    def _unlink(self, *files: str) -> None:
        for file in files:
            with suppress(OSError):
                (self._folder / file).unlink()
