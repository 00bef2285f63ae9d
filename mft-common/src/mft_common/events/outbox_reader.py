"""Read the outbox of a producer for a consumer that keeps a cursor over it."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from mft_common.database.statements import Connection, Statement
from mft_common.events import tables
from mft_common.events.backlog import OUTBOX, Backlog, count
from mft_common.events.outbox_rows import row_types

_C = OUTBOX.c


class Cursor(NamedTuple):
    """A position in an outbox, in the order of reading; the default is before the first row."""

    tx: int = 0
    position: int = 0


class FetchedRow(NamedTuple):
    """A row of an outbox as a consumer reads it; `data` is empty where no event of the consumer's types is in it."""

    tx: int
    position: int
    id: str
    type: str
    subject: str
    time: int
    correlationid: str
    data: str


class OutboxReader:
    """Fetches rows after a cursor; rows that hold no event of `types` come without their data."""

    def __init__(self, types: Collection[str]) -> None:
        wanted = sa.or_(sa.false(), *(_C.type == type_ for type_ in row_types(types)))
        data = sa.case((wanted, _C.data), else_="").label("data")
        query = sa.select(_C.tx, _C.position, _C.id, _C.type, _C.subject, _C.time, _C.correlationid, data)
        query = query.limit(sa.bindparam("most"))
        position = sa.bindparam("after_position", type_=sa.BigInteger())
        cursor = sa.tuple_(sa.bindparam("after_tx", type_=sa.BigInteger()), position)
        committed = _C.tx < tables.finished_tx()
        self._postgresql = Statement(
            query.where(sa.tuple_(_C.tx, _C.position) > cursor, committed).order_by(_C.tx, _C.position)
        )
        self._sqlite = Statement(query.where(_C.position > position).order_by(_C.position))

    def fetch(self, connection: Connection, cursor: Cursor, limit: int) -> Sequence[FetchedRow]:
        """Return the next `limit` rows after `cursor`.

        On PostgreSQL a row is returned once every transaction with a lower number is over, so that none is skipped.
        """
        values = {"after_tx": cursor.tx, "after_position": cursor.position, "most": limit}
        statement = self._postgresql if connection.dialect.name == "postgresql" else self._sqlite
        return [FetchedRow(*row) for row in statement.all(connection, values)]


def backlog_after(connection: sa.Connection, cursor: Cursor, types: Collection[str]) -> Backlog:
    """Count the events of `types` after `cursor`; no row before it is read."""
    # SQLite numbers no transactions, and finds the first row by its position alone.
    after = _after(cursor) if connection.dialect.name == "postgresql" else _C.position > cursor.position
    return count(connection, after, _C.type.in_(row_types(types)), types=types)


def handled(cursors: Iterable[tuple[Collection[str], Cursor]]) -> sa.ColumnElement[bool]:
    """Return the condition of the rows that all consumers have handled: each by its event types and its cursor.

    A consumer need not read rows without an event of its types: its stored cursor may stay behind them.
    """
    unread = [sa.and_(_C.type.in_(row_types(types)), _after(cursor)) for types, cursor in cursors]
    return sa.not_(sa.or_(sa.false(), *unread))


def _after(cursor: Cursor) -> sa.ColumnElement[bool]:
    return sa.tuple_(_C.tx, _C.position) > sa.tuple_(sa.literal(cursor.tx), sa.literal(cursor.position))
