"""Define the tables of a log, and append and read its records."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol, cast

import sqlalchemy as sa

from mft_common.database import Database
from mft_common.database.statements import Connection, Statement
from mft_common.storable_text import storable

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PAGE: Final = 10_000


class Operations(Protocol):
    """The part of alembic's `op` that a migration uses here."""

    def get_bind(self) -> sa.Connection:
        """Return the migration's connection."""
        ...


# One record as it is read: its time in milliseconds, its severity, its text, and `dropped`, which is not 0 in the one
# record that stands for that many older ones, deleted by a purge by count; last its number in the log. A plain tuple:
# a view reads up to a million of them.
Record = tuple[int, str, str, int, int]


class JobLog:
    """The log of many subjects: a job, an execution, a start of an agent. Records are never changed, only purged.

    `subject` has at most 128 characters. The tables are `NAME` and `NAME_view`; `create_tables` makes them in a
    migration.
    """

    def __init__(self, metadata: sa.MetaData, name: str = "job_log") -> None:
        self.records = _records(metadata, name)
        self.views = _views(metadata, name)
        c = self.records.c
        self._insert = Statement(sa.insert(self.records), ("subject", "at", "severity", "text"))
        self._last = Statement(sa.select(sa.func.max(c.id)).where(c.subject == sa.bindparam("subject")))
        self._page = Statement(
            sa.select(c.at, c.severity, c.text, c.dropped, c.id)
            .where(c.subject == sa.bindparam("subject"), c.id > sa.bindparam("after"), c.id <= sa.bindparam("last_id"))
            .order_by(c.id)
            .limit(sa.bindparam("most", type_=sa.Integer()))
        )

    def append(self, connection: Connection, subject: str, at: int, severity: str, *texts: str) -> None:
        """Append one record a text, in the caller's transaction; `at` is in milliseconds.

        NUL and characters that are no Unicode are stored as escapes.
        """
        rows = [{"subject": subject, "at": at, "severity": severity, "text": storable(text)} for text in texts]
        if rows:
            self._insert.run_many(connection, rows)

    def last_id(self, connection: Connection, subject: str) -> int | None:
        """Return the number of the newest record that the connection sees, None where there is none."""
        row = self._last.first(connection, {"subject": subject})
        return None if row is None or row[0] is None else int(row[0])

    def pages(
        self, connection: Connection, subject: str, *, last_id: int, after: int = 0, size: int = _PAGE
    ) -> Iterator[Sequence[Record]]:
        """Yield the records behind `after` up to the number `last_id`, the oldest first, at most `size` at a time."""
        while True:
            values = {"subject": subject, "after": after, "last_id": last_id, "most": size}
            page = cast("Sequence[Record]", self._page.all(connection, values))
            if page:
                yield page
                after = page[-1][-1]
            if len(page) < size:
                return

    def each(self, database: Database, subject: str, *, size: int = _PAGE) -> Iterator[Record]:
        """Yield the records that a subject has now, the oldest first, each page in a read of its own.

        A reader that stops for an hour, such as a pager, then holds no version of the database for so long.
        """
        with database.read() as connection:
            last_id = self.last_id(connection, subject)
        after = 0
        while last_id is not None and after < last_id:
            with database.read() as connection:
                page = next(self.pages(connection, subject, last_id=last_id, after=after, size=size), ())
            if not page:
                return
            yield from page
            after = page[-1][-1]

    def remove(self, connection: sa.Connection, subjects: Sequence[str]) -> None:
        """Delete the whole logs of subjects that are deleted themselves; open views of them stay until they end."""
        connection.execute(sa.delete(self.records).where(self.records.c.subject.in_(subjects)))


def _records(metadata: sa.MetaData, name: str) -> sa.Table:
    table = sa.Table(
        name,
        metadata,
        sa.Column("id", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    # With `at`, so that a purge finds old subjects in the index alone.
    sa.Index(f"{name}_subject", table.c.subject, table.c.id, table.c.at)
    return table


def _views(metadata: sa.MetaData, name: str) -> sa.Table:
    """Define the views: a row and its records are enough to build the view's file again.

    `owner` is the session, `last_id` the newest record in the view, `digest` the SHA-256 of its lines.
    """
    table = sa.Table(
        f"{name}_view",
        metadata,
        sa.Column("number", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("contains", sa.Text(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("buffer_lines", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("file", sa.String(64), nullable=False),
        sqlite_autoincrement=True,
    )
    sa.Index(f"{name}_view_owner", table.c.owner, table.c.number)
    sa.Index(f"{name}_view_subject", table.c.subject)
    return table


def create_tables(op: Operations, name: str = "job_log") -> None:
    """Create both tables in a migration."""
    metadata = sa.MetaData()
    _records(metadata, name)
    _views(metadata, name)
    metadata.create_all(op.get_bind(), checkfirst=False)


def drop_tables(op: Operations, name: str = "job_log") -> None:
    """Drop both tables in a migration."""
    metadata = sa.MetaData()
    _records(metadata, name)
    _views(metadata, name)
    metadata.drop_all(op.get_bind(), checkfirst=False)
