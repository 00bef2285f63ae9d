"""Remember in a consumer's own database what it has handled, how far it has read, and what it could not handle."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.events import tables
from mft_common.events.envelope import Envelope
from mft_common.events.outbox_queries import Place


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

    def claim(self, connection: sa.Connection, envelopes: Iterable[Envelope[Any]], now: int) -> set[tuple[str, str]]:
        """Store `(source, id)` of each envelope, and return those that had not been stored before.

        They are stored in one order, so that two consumers with the same events wait for each other and never both.
        """
        rows = [{"source": source, "id": id_, "handled_at": now} for source, id_ in sorted({e.key for e in envelopes})]
        if not rows:
            return set()
        insert = _insert_new(self.table, connection.dialect.name).returning(self.table.c.source, self.table.c.id)
        return {(row.source, row.id) for row in connection.execute(insert, rows)}

    def place(self, connection: sa.Connection, source: str) -> Place:
        """Return how far the outbox of `source` has been read."""
        c = self.cursors.c
        row = connection.execute(sa.select(c.tx, c.position).where(c.source == source)).one_or_none()
        return Place() if row is None else Place(row.tx, row.position)

    def move(self, connection: sa.Connection, source: str, old: Place, new: Place) -> bool:
        """Move the cursor of `source`; False where another worker has moved it meanwhile."""
        c = self.cursors.c
        if old == Place():
            # Both ways begin here: a first read, and a second worker's first read.
            insert = _insert_new(self.cursors, connection.dialect.name)
            connection.execute(insert, {"source": source, "tx": 0, "position": 0})
        moved = connection.execute(
            sa.update(self.cursors)
            .where(c.source == source, c.tx == old.tx, c.position == old.position)
            .values(tx=new.tx, position=new.position)
        )
        return moved.rowcount == 1


class Failures:
    """The events that a service could not handle: some will be tried again, others have been given up."""

    def __init__(self, inbox: Inbox) -> None:
        self._table = inbox.failures

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
