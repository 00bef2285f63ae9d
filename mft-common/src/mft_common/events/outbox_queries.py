"""Read an outbox and keep the relay's marks in it; any service's outbox, since all have one shape."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from mft_common.events import tables
from mft_common.events.envelope import Envelope, from_row, render
from mft_common.statements import Connection, Statement

OUTBOX: Final = tables.outbox(sa.MetaData())
_C: Final = OUTBOX.c
_FIRST_PAUSE_MS: Final = 500
_LONGEST_PAUSE_MS: Final = 60_000
_MOST_DOUBLINGS: Final = 7


class Place(NamedTuple):
    """A place in an outbox, in the order of reading."""

    tx: int = 0
    position: int = 0


@dataclass(frozen=True)
class Backlog:
    """How many events wait to be delivered, and since when the oldest does (milliseconds since the epoch, or None)."""

    events: int
    oldest: int | None


def envelope_json(source: str, row: Any) -> str:
    """Render a row of the outbox of `source` as an envelope."""
    return render(**_members(source, row))


def envelope(source: str, row: Any) -> Envelope[Any]:
    """Return the envelope of a row of the outbox of `source`; EventError where its event cannot be read."""
    return from_row(**_members(source, row))


def _members(source: str, row: Any) -> dict[str, Any]:
    names = {"id": row.id, "source": source, "type": row.type, "subject": row.subject, "time": row.time}
    return {**names, "correlationid": row.correlationid, "sequence": row.position, "data": row.data}


def waiting(connection: sa.Connection, now: int, limit: int) -> Sequence[Any]:
    """Return the oldest rows that no broker has confirmed yet and whose pause is over.

    On PostgreSQL they are locked until the transaction ends, and rows that another relay holds are passed over.
    """
    query = (
        sa.select(OUTBOX)
        .where(sa.not_(_C.published), _C.not_before <= now)
        .order_by(_C.position)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).all()


def mark_published(connection: sa.Connection, positions: Collection[int]) -> None:
    """Mark what the broker has confirmed."""
    if positions:
        connection.execute(sa.update(OUTBOX).where(_C.position.in_(positions)).values(published=sa.true()))


def postpone(connection: sa.Connection, rows: Collection[Any], now: int) -> None:
    """Let rows that the broker refused wait, each time twice as long, so that they never hold up the others."""
    for row in rows:
        pause = min(_FIRST_PAUSE_MS * 2 ** min(row.attempts, _MOST_DOUBLINGS), _LONGEST_PAUSE_MS)
        connection.execute(
            sa.update(OUTBOX)
            .where(_C.position == row.position)
            .values(attempts=_C.attempts + 1, not_before=now + pause)
        )


class Row(NamedTuple):
    """A row of an outbox as consumers read it; without `data` where nobody asked for its type."""

    tx: int
    position: int
    id: str
    type: str
    subject: str
    time: int
    correlationid: str
    data: str | None


class Reading:
    """Reads on in an outbox, for a consumer of events of some `types`; other rows come without their data."""

    def __init__(self, types: Collection[str]) -> None:
        wanted = sa.or_(sa.false(), *(_C.type == type_ for type_ in sorted(types)))
        data = sa.case((wanted, _C.data)).label("data")
        query = sa.select(_C.tx, _C.position, _C.id, _C.type, _C.subject, _C.time, _C.correlationid, data)
        query = query.limit(sa.bindparam("most"))
        position = sa.bindparam("after_position", type_=sa.BigInteger())
        here = sa.tuple_(sa.bindparam("after_tx", type_=sa.BigInteger()), position)
        self._postgresql = Statement(
            query.where(sa.tuple_(_C.tx, _C.position) > here, _C.tx < tables.finished_tx()).order_by(_C.tx, _C.position)
        )
        self._sqlite = Statement(query.where(_C.position > position).order_by(_C.position))

    def after(self, connection: Connection, place: Place, limit: int) -> Sequence[Row]:
        """Return the next `limit` rows after `place`.

        On PostgreSQL rows whose neighbours may still commit late are not returned yet.
        """
        values = {"after_tx": place.tx, "after_position": place.position, "most": limit}
        statement = self._postgresql if connection.dialect.name == "postgresql" else self._sqlite
        return [Row(*row) for row in statement.all(connection, values)]


def unpublished(connection: sa.Connection) -> Backlog:
    """Count what no broker has confirmed yet."""
    query = sa.select(sa.func.count(), sa.func.min(_C.time)).where(sa.not_(_C.published))
    count, oldest = connection.execute(query).one()
    return Backlog(count, oldest)


def beyond(connection: sa.Connection, place: Place, types: Collection[str]) -> Backlog:
    """Count the rows of `types` after `place`."""
    here = sa.tuple_(sa.literal(place.tx), sa.literal(place.position))
    query = sa.select(sa.func.count(), sa.func.min(_C.time)).where(
        sa.tuple_(_C.tx, _C.position) > here, _C.type.in_(sorted(types))
    )
    count, oldest = connection.execute(query).one()
    return Backlog(count, oldest)
