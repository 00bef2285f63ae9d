"""Store the record: one row a transfer, one row an item, and a counter of transfers."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mqmft_svc.domain.transfers import Item, Transfer
from mqmft_svc.store import keyset
from mqmft_svc.store.tables import counter, item, transfer

_CHUNK: Final = 500
_T: Final = transfer.c
_FIELDS: Final = tuple(field.name for field in fields(Transfer))
# The columns of the default set; a list of it reads no JSON (241).
_BRIEF: Final = (
    *("id", "protocol", "arrival", "state", "started_at", "ended_at", "home_qmgr", "source_agent"),
    *("destination_agent", "host", "account", "files", "successes", "failures", "warnings"),
)
_STORED: Final = tuple(name for name in _FIELDS if name != "arrival")
# Statements are built once: building one costs more than running it.
_WHOLE: Final = sa.select(*(_T[name] for name in _FIELDS))
_ONE: Final = _WHOLE.where(_T.id == sa.bindparam("id"))
_ONE_LOCKED: Final = _ONE.with_for_update()
_LOCKED: Final = _WHOLE.where(_T.id.in_(sa.bindparam("ids", expanding=True))).order_by(_T.id).with_for_update()
_UPDATE: Final = (
    transfer.update()
    .where(_T.arrival == sa.bindparam("key"))
    .values({name: sa.bindparam(name) for name in _STORED if name not in {"id", "protocol", "home_qmgr", "network"}})
)
_KNOWN: Final = sa.select(_T.id).where(_T.id.in_(sa.bindparam("ids", expanding=True)))
_COUNT: Final = sa.select(sa.func.coalesce(sa.func.sum(counter.c.value), 0))
_ITEMS: Final = sa.select(item).where(item.c.transfer.in_(sa.bindparam("keys", expanding=True)))


_ITEMS_AT: Final = _ITEMS.where(item.c.position.in_(sa.bindparam("positions", expanding=True)))
_ITEMS_IN_ORDER: Final = _ITEMS.order_by(item.c.transfer, item.c.position)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """The transfers of a list; an empty tuple or None matches all.

    `agents` are those of either side. A transfer matches that began at `since` or later, and before `until` (ms).
    """

    states: Sequence[str] = ()
    agents: Sequence[str] = ()
    protocols: Sequence[str] = ()
    job_name: str | None = None
    since: int | None = None
    until: int | None = None

    def conditions(self) -> Iterator[Any]:
        """Yield the conditions of a statement."""
        if self.states:
            yield _T.state.in_(self.states)
        if self.agents:
            yield sa.or_(_T.source_agent.in_(self.agents), _T.destination_agent.in_(self.agents))
        if self.protocols:
            yield _T.protocol.in_(self.protocols)
        if self.job_name is not None:
            yield _T.job_name == self.job_name
        if self.since is not None:
            yield _T.started_at >= self.since
        if self.until is not None:
            yield _T.started_at < self.until


EVERY: Final = Filter()


def _insert_new(insert: Any) -> Any:
    return insert(transfer).on_conflict_do_nothing(index_elements=["id"]).returning(_T.id, _T.arrival)


def _insert_item(insert: Any) -> Any:
    key = ["transfer", "position"]
    return insert(item).on_conflict_do_nothing(index_elements=key).returning(item.c.transfer, item.c.position)


def _upsert_item(insert: Any) -> Any:
    statement = insert(item)
    values = {name: statement.excluded[name] for name in ("sequence", "leaves", "older")}
    return statement.on_conflict_do_update(index_elements=["transfer", "position"], set_=values)


_INSERTS: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_INSERT_NEW: Final = {dialect: _insert_new(insert) for dialect, insert in _INSERTS.items()}
_INSERT_ITEM: Final = {dialect: _insert_item(insert) for dialect, insert in _INSERTS.items()}
_UPSERT_ITEM: Final = {dialect: _upsert_item(insert) for dialect, insert in _INSERTS.items()}


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _transfer(row: Any) -> Transfer:
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's documented way to a row's names
    if "user_properties" in values:
        values["user_properties"] = json.loads(values["user_properties"])
    return Transfer(**values)


def _row(record: Transfer) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _STORED}
    values["user_properties"] = json.dumps(record.user_properties, ensure_ascii=False)
    return values


def count(connection: sa.Connection) -> int:
    """Return how many transfers there are, from the counter."""
    return int(connection.execute(_COUNT).scalar_one())


def find(connection: sa.Connection, id_: str) -> Transfer | None:
    """Return one transfer."""
    row = connection.execute(_ONE, {"id": id_}).one_or_none()
    return None if row is None else _transfer(row)


def ending(connection: sa.Connection, end: str, most: int) -> list[Transfer]:
    """Return at most so many transfers whose ids end with `end`; all of them are looked at."""
    query = _WHOLE.where(_T.id.endswith(end, autoescape=True)).limit(most)
    return [_transfer(row) for row in connection.execute(query)]


def missing(connection: sa.Connection, ids: Sequence[str]) -> list[str]:
    """Return those of `ids` that no transfer has, in order; nothing is locked."""
    known = {row.id for chunk in _chunks(sorted(ids)) for row in connection.execute(_KNOWN, {"ids": list(chunk)})}
    return sorted(set(ids) - known)


def lock(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Transfer]:
    """Return the transfers of `ids` that exist, locked in the order of their ids until the transaction ends."""
    if len(ids) == 1:
        rows = connection.execute(_ONE_LOCKED, {"id": ids[0]}).all()
    else:
        rows = [row for chunk in _chunks(sorted(ids)) for row in connection.execute(_LOCKED, {"ids": list(chunk)})]
    return {record.id: record for record in map(_transfer, rows)}


def insert(connection: sa.Connection, records: Iterable[Transfer]) -> dict[str, int]:
    """Insert transfers; return the arrival of each that was not there before, by its id."""
    rows = [_row(record) for record in records]
    if not rows:
        return {}
    # One row goes without a list: SQLAlchemy's way with many costs more than the row itself.
    made = connection.execute(_INSERT_NEW[connection.dialect.name], rows if len(rows) > 1 else rows[0])
    return {row.id: row.arrival for row in made}


def update(connection: sa.Connection, records: Iterable[Transfer]) -> None:
    """Update transfers that exist."""
    rows = [{"key": record.arrival, **_row(record)} for record in records]
    if rows:
        connection.execute(_UPDATE, rows)


def items(connection: sa.Connection, arrivals: Sequence[int]) -> dict[int, list[Item]]:
    """Return the items of transfers by arrival, in their order."""
    found: dict[int, list[Item]] = {arrival: [] for arrival in arrivals}
    for chunk in _chunks(sorted(arrivals)):
        for row in connection.execute(_ITEMS_IN_ORDER, {"keys": list(chunk)}):
            found[row.transfer].append(_item(row))
    return found


def _item(row: Any) -> Item:
    return Item(
        position=row.position, sequence=row.sequence, leaves=json.loads(row.leaves), older=json.loads(row.older)
    )


def add_items(connection: sa.Connection, changed: Mapping[int, Mapping[int, Item]]) -> None:
    """Insert items by the arrival of their transfer and their position, or merge them with the stored ones."""
    rows = [_item_row(arrival, one) for arrival, group in changed.items() for one in group.values()]
    if not rows:
        return
    dialect = connection.dialect.name
    made = connection.execute(_INSERT_ITEM[dialect], rows if len(rows) > 1 else rows[0])
    added = {(row.transfer, row.position) for row in made}
    merged = []
    for arrival, group in changed.items():
        positions = [position for position in group if (arrival, position) not in added]
        for chunk in _chunks(positions):
            found = connection.execute(_ITEMS_AT, {"keys": [arrival], "positions": list(chunk)})
            merged += [_item_row(arrival, _item(row).merged(group[row.position])) for row in found]
    if merged:
        connection.execute(_UPSERT_ITEM[dialect], merged)


def _item_row(arrival: int, one: Item) -> dict[str, Any]:
    return {
        "transfer": arrival,
        "position": one.position,
        "sequence": one.sequence,
        "leaves": json.dumps(one.leaves, ensure_ascii=False),
        "older": json.dumps(one.older) if one.older else "{}",
    }


def newest(
    connection: sa.Connection,
    limit: int,
    matching: Filter = EVERY,
    /,
    *,
    after: Transfer | None = None,
    before: Transfer | None = None,
    brief: bool = True,
) -> list[Transfer]:
    """Return at most `limit` transfers, newest first; with `after` or `before` those nearest to that one (40, 44).

    A `brief` record holds the columns of the default set alone.
    """
    query = sa.select(*(_T[name] for name in (_BRIEF if brief else _FIELDS))).limit(limit)
    query = query.where(*matching.conditions())
    marks = {name: None if one is None else _place_of(one) for name, one in (("after", after), ("before", before))}
    return [_transfer(row) for row in keyset.newest(connection, query, (_T.started_at, _T.arrival), **marks)]


def _place_of(record: Transfer) -> tuple[int, int]:
    return record.started_at, record.arrival


def delete_older(connection: sa.Connection, before: int, limit: int) -> int:
    """Delete at most `limit` of the transfers that were over before `before` (ms); return how many.

    One that began long ago, such as one that waited for its time, may have ended just now.
    Transfers that a worker changes at the moment are left for another call: a deletion waits for no lock.
    """
    old = sa.select(_T.arrival).where(_T.started_at < before, _T.ended_at < before)
    chosen = old.order_by(_T.started_at).limit(limit).with_for_update(skip_locked=True)
    arrivals = connection.execute(chosen).scalars().all()
    return connection.execute(transfer.delete().where(_T.arrival.in_(arrivals))).rowcount if arrivals else 0
