"""Read an outbox and keep the relay's marks in it; any service's outbox, since all have one shape.

A row tells one event, or a compound of several; it is read as the envelopes of them all.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from mft_common.database.statements import Connection, Statement
from mft_common.events import tables
from mft_common.events.catalogue import COMPOUNDS, EVENTS, Compound
from mft_common.events.envelope import Envelope, event_of, parse, read_head, render
from mft_common.events.errors import EventError

OUTBOX: Final = tables.outbox(sa.MetaData())
_C: Final = OUTBOX.c
_FIRST_PAUSE_MS: Final = 500
_LONGEST_PAUSE_MS: Final = 60_000
_MOST_DOUBLINGS: Final = 7
# The events of one row are numbered in steps between its position and the next.
_MOST_PARTS: Final = 4


class Cursor(NamedTuple):
    """A place in an outbox, in the order of reading."""

    tx: int = 0
    position: int = 0


@dataclass(frozen=True)
class Backlog:
    """How many events wait to be delivered, and since when the oldest does (milliseconds since the epoch, or None)."""

    events: int
    oldest: int | None


class Rendered(NamedTuple):
    """An event as a broker is given it: its id, its type, and its envelope as JSON text."""

    id: str
    type: str
    body: str


def rendered(source: str, row: Any) -> Sequence[Rendered]:
    """Render the events of a row of the outbox of `source`; a row of one event is passed on without being read.

    EventError where it is of a type that this program does not know, or a compound that cannot be read.
    """
    if row.type in COMPOUNDS:
        return [Rendered(each.id, each.type, each.to_json()) for each in envelopes(source, row)]
    if row.type not in EVENTS:
        raise EventError(f"unknown type {row.type!r}")
    return [Rendered(row.id, row.type, raw(source, row))]


def raw(source: str, row: Any) -> str:
    """Render a row as if it were one event, whatever is in it: for those who look into what cannot be read."""
    return render(**_members(source, row), data=row.data)


def envelopes(source: str, row: Any, types: Collection[str] | None = None) -> Sequence[Envelope[Any]]:
    """Return the envelopes of a row of the outbox of `source`, those of `types` where some are given.

    EventError where it cannot be read.
    """
    compound = COMPOUNDS.get(row.type)
    members = _members(source, row)
    if compound is None:
        return [Envelope(**members, data=event_of(row.type, row.data))]
    return _parts(compound.read(row.data), members, types)


def envelopes_again(body: str, types: Collection[str]) -> Sequence[Envelope[Any]]:
    """Return what `envelopes` would have of a row, out of what `raw` rendered of it; any other envelope as it is.

    EventError where it cannot be read.
    """
    head = read_head(body)
    compound = COMPOUNDS.get(head["type"])
    if compound is None:
        return [parse(body)]
    data = head.pop("data")
    if not isinstance(data, dict):
        raise EventError("data is missing, or no JSON object")
    return _parts(compound.from_data(data), head, types)


def _parts(whole: Compound, members: Mapping[str, Any], types: Collection[str] | None) -> list[Envelope[Any]]:
    found = []
    for number, part in enumerate(whole.PARTS):
        if types is None or part.TYPE in types:
            event = whole.part(number)
            names = {"id": f"{members['id']}-{number + 1}", "type": part.TYPE, "subject": event.subject()}
            found.append(Envelope(**{**members, **names, "sequence": members["sequence"] + number + 1}, data=event))
    return found


def _members(source: str, row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": source,
        "type": row.type,
        "subject": row.subject,
        "time": row.time,
        "correlationid": row.correlationid,
        "sequence": row.position * _MOST_PARTS,
    }


def _rows_of(types: Collection[str]) -> list[str]:
    """Return the types of the rows that tell events of `types`."""
    compounds = [name for name, compound in COMPOUNDS.items() if any(part.TYPE in types for part in compound.PARTS)]
    return sorted({*types, *compounds})


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


class OutboxReader:
    """Reads on in an outbox, for a consumer of events of some `types`; other rows come without their data."""

    def __init__(self, types: Collection[str]) -> None:
        wanted = sa.or_(sa.false(), *(_C.type == type_ for type_ in _rows_of(types)))
        data = sa.case((wanted, _C.data)).label("data")
        query = sa.select(_C.tx, _C.position, _C.id, _C.type, _C.subject, _C.time, _C.correlationid, data)
        query = query.limit(sa.bindparam("most"))
        position = sa.bindparam("after_position", type_=sa.BigInteger())
        here = sa.tuple_(sa.bindparam("after_tx", type_=sa.BigInteger()), position)
        self._postgresql = Statement(
            query.where(sa.tuple_(_C.tx, _C.position) > here, _C.tx < tables.finished_tx()).order_by(_C.tx, _C.position)
        )
        self._sqlite = Statement(query.where(_C.position > position).order_by(_C.position))

    def after(self, connection: Connection, place: Cursor, limit: int) -> Sequence[Row]:
        """Return the next `limit` rows after `place`.

        On PostgreSQL rows whose neighbours may still commit late are not returned yet.
        """
        values = {"after_tx": place.tx, "after_position": place.position, "most": limit}
        statement = self._postgresql if connection.dialect.name == "postgresql" else self._sqlite
        return [Row(*row) for row in statement.all(connection, values)]


def unpublished(connection: sa.Connection) -> Backlog:
    """Count what no broker has confirmed yet."""
    return _counted(connection, sa.not_(_C.published))


def beyond(connection: sa.Connection, place: Cursor, types: Collection[str]) -> Backlog:
    """Count the events of `types` after `place`."""
    here = sa.tuple_(sa.literal(place.tx), sa.literal(place.position))
    return _counted(connection, sa.tuple_(_C.tx, _C.position) > here, _C.type.in_(_rows_of(types)), types=types)


def handled(cursors: Iterable[tuple[Collection[str], Cursor]]) -> sa.ColumnElement[bool]:
    """Return the condition of the rows that all consumers have handled: each by its event types and its cursor.

    A row of types that a consumer is not told of need not be read by it: its stored cursor may stay behind such rows.
    """
    unread = [
        sa.and_(
            _C.type.in_(_rows_of(types)),
            sa.tuple_(_C.tx, _C.position) > sa.tuple_(sa.literal(cursor.tx), sa.literal(cursor.position)),
        )
        for types, cursor in cursors
    ]
    return sa.not_(sa.or_(sa.false(), *unread))


def published() -> sa.ColumnElement[bool]:
    """Return the condition of the rows that a broker has confirmed."""
    return _C.published


def _counted(connection: sa.Connection, *where: Any, types: Collection[str] | None = None) -> Backlog:
    told = {name: _parts_told(compound, types) for name, compound in COMPOUNDS.items()}
    events = sa.func.coalesce(sa.func.sum(sa.case(told, value=_C.type, else_=1)), 0)
    count, oldest = connection.execute(sa.select(events, sa.func.min(_C.time)).where(*where)).one()
    return Backlog(int(count), oldest)


def _parts_told(compound: type[Compound], types: Collection[str] | None) -> int:
    return sum(types is None or part.TYPE in types for part in compound.PARTS)
