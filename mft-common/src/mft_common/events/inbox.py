"""Remember in a consumer's own database what it has handled, how far it has read, and what it could not handle."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database.statements import Connection, Statement
from mft_common.events import tables
from mft_common.events.envelope import Envelope
from mft_common.events.outbox_queries import Cursor


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
        self._place = Statement(sa.select(cursor.tx, cursor.position).where(cursor.source == sa.bindparam("from")))
        here = (cursor.tx == sa.bindparam("old_tx"), cursor.position == sa.bindparam("old_position"))
        self._move = Statement(
            sa.update(self.cursors)
            .where(cursor.source == sa.bindparam("from"), *here)
            .values(tx=sa.bindparam("new_tx"), position=sa.bindparam("new_position"))
        )

    def claim(self, connection: sa.Connection, envelopes: Iterable[Envelope[Any]], now: int) -> set[tuple[str, str]]:
        """Store `(source, id)` of each envelope, and return those that had not been stored before.

        They are stored in one order, so that two consumers with the same events wait for each other and never both.
        """
        keys = sorted({envelope.key for envelope in envelopes})
        if connection.dialect.name == "sqlite":
            # Nobody else writes meanwhile, so that to look first is safe, and ten times as fast as to be told.
            keys = [key for key in keys if self._known.first(connection, {"from": key[0], "known": key[1]}) is None]
        rows = [{"source": source, "id": id_, "handled_at": now} for source, id_ in keys]
        if not rows:
            return set()
        if connection.dialect.name == "sqlite":
            self._add.run_many(connection, rows)
            return set(keys)
        insert = _insert_new(self.table, connection.dialect.name).returning(self.table.c.source, self.table.c.id)
        return {(row.source, row.id) for row in connection.execute(insert, rows)}

    def place(self, connection: Connection, source: str) -> Cursor:
        """Return how far the outbox of `source` has been read."""
        row = self._place.first(connection, {"from": source})
        return Cursor() if row is None else Cursor(*row)

    def move(self, connection: sa.Connection, source: str, old: Cursor, new: Cursor) -> bool:
        """Move the cursor of `source`; False where another worker has moved it meanwhile."""
        if old == Cursor():
            # Both ways begin here: a first read, and a second worker's first read.
            insert = _insert_new(self.cursors, connection.dialect.name)
            connection.execute(insert, {"source": source, "tx": 0, "position": 0})
        values = {"from": source, "old_tx": old.tx, "old_position": old.position}
        return self._move.run(connection, {**values, "new_tx": new.tx, "new_position": new.position}) == 1


class Failures:
    """The events that a service could not handle: some will be tried again, others have been given up."""

    def __init__(self, inbox: Inbox) -> None:
        self._table = inbox.failures
        c = self._table.c
        self._any_due = Statement(sa.select(c.id).where(c.next_try_at <= sa.bindparam("now")).limit(1))

    def any_due(self, connection: Connection, now: int) -> bool:
        """True when something is to be tried again now: asked several times a second, and hardly ever so."""
        return self._any_due.first(connection, {"now": now}) is not None

    def add(self, connection: sa.Connection, row: dict[str, Any]) -> None:
        """Keep a failed event, unless it is kept already."""
        connection.execute(_insert_new(self._table, connection.dialect.name), row)

    def due(self, connection: sa.Connection, now: int, limit: int) -> Sequence[Any]:
        """Return what is to be tried again now, locked on PostgreSQL until the transaction ends."""
        c = self._table.c
        query = sa.select(self._table).where(c.next_try_at <= now).order_by(c.next_try_at).limit(limit)
        return connection.execute(query.with_for_update(skip_locked=True)).all()

    def given_up(self, connection: sa.Connection, limit: int, *, lock: bool = False) -> Sequence[Any]:
        """Return what has been given up, oldest first; with `lock`, PostgreSQL passes over what another one holds."""
        c = self._table.c
        query = sa.select(self._table).where(c.next_try_at.is_(None)).order_by(c.failed_at, c.id).limit(limit)
        return connection.execute(query.with_for_update(skip_locked=True) if lock else query).all()

    def again(self, connection: sa.Connection, row: Any, *, reason: str, next_try_at: int | None, now: int) -> None:
        """Note one more failure; without `next_try_at` the event is given up."""
        connection.execute(
            sa.update(self._table)
            .where(self._same(row))
            .values(attempts=row.attempts + 1, reason=reason, failed_at=now, next_try_at=next_try_at)
        )

    def remove(self, connection: sa.Connection, row: Any) -> None:
        """Forget a failure."""
        connection.execute(sa.delete(self._table).where(self._same(row)))

    def replay(self, connection: sa.Connection, keys: set[str] | None, now: int) -> int:
        """Let what was given up be tried anew at once: all, or those ids; return how many."""
        c = self._table.c
        query = sa.update(self._table).where(c.next_try_at.is_(None)).values(next_try_at=now, attempts=0)
        if keys is not None:
            query = query.where(c.id.in_(sorted(keys)))
        return connection.execute(query).rowcount

    def _same(self, row: Any) -> sa.ColumnElement[bool]:
        return sa.and_(self._table.c.source == row.source, self._table.c.id == row.id)
