"""Store in a consumer's own database which events it handled, how far it read, and which events failed."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database.statements import Connection, Statement
from mft_common.events import tables
from mft_common.events.envelope import Envelope
from mft_common.events.outbox_reader import Cursor


class CursorMove(NamedTuple):
    """A consumer's move over the outbox of `source`, from the stored cursor `old` to `new`."""

    source: str
    old: Cursor
    new: Cursor


class Unreadable(NamedTuple):
    """A row of an outbox that this program cannot read, rendered as `body` for an operator, and the reason."""

    source: str
    id: str
    type: str
    subject: str
    body: str
    reason: str


def _insert_new(table: sa.Table, dialect: str) -> Any:
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return insert.on_conflict_do_nothing()


class Inbox:
    """The inbox of a service, as part of the service's own `metadata`."""

    def __init__(self, metadata: sa.MetaData) -> None:
        made = tables.inbox(metadata)
        self.table = made.inbox
        self.cursors = made.cursors
        self.failures = made.failures
        c, cursor = self.table.c, self.cursors.c
        self._known = Statement(sa.select(c.id).where(c.source == sa.bindparam("from"), c.id == sa.bindparam("known")))
        self._add = Statement(sa.insert(self.table), ["source", "id", "handled_at"])
        self._cursor = Statement(sa.select(cursor.tx, cursor.position).where(cursor.source == sa.bindparam("from")))
        old = (cursor.tx == sa.bindparam("old_tx"), cursor.position == sa.bindparam("old_position"))
        self._move = Statement(
            sa.update(self.cursors)
            .where(cursor.source == sa.bindparam("from"), *old)
            .values(tx=sa.bindparam("new_tx"), position=sa.bindparam("new_position"))
        )

    def claim(self, connection: sa.Connection, envelopes: Iterable[Envelope[Any]], now: int) -> set[tuple[str, str]]:
        """Store `(source, id)` of each envelope, and return those that were not stored before.

        They are stored in one order, so that two consumers of the same events wait for each other without a deadlock.
        """
        keys = sorted({envelope.key for envelope in envelopes})
        if connection.dialect.name == "sqlite":
            # SQLite has one writer, so that reading first is safe; it takes a tenth of an insert with RETURNING.
            keys = [key for key in keys if self._known.first(connection, {"from": key[0], "known": key[1]}) is None]
        rows = [{"source": source, "id": id_, "handled_at": now} for source, id_ in keys]
        if not rows:
            return set()
        if connection.dialect.name == "sqlite":
            self._add.run_many(connection, rows)
            return set(keys)
        insert = _insert_new(self.table, connection.dialect.name).returning(self.table.c.source, self.table.c.id)
        return {(row.source, row.id) for row in connection.execute(insert, rows)}

    def cursor(self, connection: Connection, source: str) -> Cursor:
        """Return how far the outbox of `source` has been read."""
        row = self._cursor.first(connection, {"from": source})
        return Cursor() if row is None else Cursor(*row)

    def move(self, connection: sa.Connection, move: CursorMove) -> bool:
        """Move a cursor; False where another worker has moved it meanwhile."""
        if move.old == Cursor():
            # The first move of all: the row to update may not exist yet.
            insert = _insert_new(self.cursors, connection.dialect.name)
            connection.execute(insert, {"source": move.source, "tx": 0, "position": 0})
        values = {"from": move.source, "old_tx": move.old.tx, "old_position": move.old.position}
        return self._move.run(connection, {**values, "new_tx": move.new.tx, "new_position": move.new.position}) == 1


class Failures:
    """The events that a service could not handle: some are tried again, others have been given up."""

    def __init__(self, inbox: Inbox) -> None:
        self._table = inbox.failures
        c = self._table.c
        due = sa.or_(c.next_try_at <= sa.bindparam("now"), c.next_try_at > sa.bindparam("latest"))
        self._any_due = Statement(sa.select(c.id).where(due).limit(1))

    def any_due(self, connection: Connection, now: int, latest: int) -> bool:
        """Return whether `due` would return anything; it is asked several times a second, and hardly ever true."""
        return self._any_due.first(connection, {"now": now, "latest": latest}) is not None

    def add(
        self, connection: sa.Connection, envelope: Envelope[Any], reason: str, *, now: int, next_try_at: int | None
    ) -> None:
        """Store an event that failed for the first time, unless it is stored already."""
        names = {"source": envelope.source, "id": envelope.id, "type": envelope.type, "subject": envelope.subject}
        self._insert(connection, names, envelope.to_json(), reason, now=now, next_try_at=next_try_at)

    def give_up(self, connection: sa.Connection, unreadable: Unreadable, now: int) -> None:
        """Store a row that cannot be read, for an operator to see and to replay."""
        names = {
            "source": unreadable.source,
            "id": unreadable.id,
            "type": unreadable.type,
            "subject": unreadable.subject,
        }
        self._insert(connection, names, unreadable.body, unreadable.reason, now=now, next_try_at=None)

    def _insert(
        self,
        connection: sa.Connection,
        names: dict[str, str],
        body: str,
        reason: str,
        *,
        now: int,
        next_try_at: int | None,
    ) -> None:
        row = {"body": body, "reason": reason, "attempts": 1, "failed_at": now, "next_try_at": next_try_at}
        connection.execute(_insert_new(self._table, connection.dialect.name), {**names, **row})

    def due(self, connection: sa.Connection, now: int, latest: int, limit: int) -> Sequence[Any]:
        """Return the events to try again now, locked on PostgreSQL until the transaction ends.

        A time of the next try after `latest`, which no pause can reach, was written before the clock was set back.
        """
        c = self._table.c
        due = sa.or_(c.next_try_at <= now, c.next_try_at > latest)
        query = sa.select(self._table).where(due).order_by(c.next_try_at).limit(limit)
        return connection.execute(query.with_for_update(skip_locked=True)).all()

    def given_up(self, connection: sa.Connection, limit: int, *, lock: bool = False) -> Sequence[Any]:
        """Return the events that were given up, oldest first; with `lock`, PostgreSQL skips those that are locked."""
        c = self._table.c
        query = sa.select(self._table).where(c.next_try_at.is_(None)).order_by(c.failed_at, c.id).limit(limit)
        return connection.execute(query.with_for_update(skip_locked=True) if lock else query).all()

    def count_given_up(self, connection: sa.Connection) -> int:
        """Count the events that were given up."""
        given_up = self._table.c.next_try_at.is_(None)
        return int(connection.execute(sa.select(sa.func.count()).select_from(self._table).where(given_up)).scalar_one())

    def update(self, connection: sa.Connection, row: Any, *, reason: str, next_try_at: int | None, now: int) -> None:
        """Count one more failure of a stored event; without `next_try_at` it is given up."""
        connection.execute(
            sa.update(self._table)
            .where(self._same(row))
            .values(attempts=row.attempts + 1, reason=reason, failed_at=now, next_try_at=next_try_at)
        )

    def remove(self, connection: sa.Connection, row: Any) -> None:
        """Delete a stored failure."""
        connection.execute(sa.delete(self._table).where(self._same(row)))

    def replay(self, connection: sa.Connection, ids: set[str] | None, now: int) -> int:
        """Let events that were given up be tried again at once: all, or those `ids`; return how many."""
        c = self._table.c
        query = sa.update(self._table).where(c.next_try_at.is_(None)).values(next_try_at=now, attempts=0)
        if ids is not None:
            query = query.where(c.id.in_(sorted(ids)))
        return connection.execute(query).rowcount

    def _same(self, row: Any) -> sa.ColumnElement[bool]:
        return sa.and_(self._table.c.source == row.source, self._table.c.id == row.id)
