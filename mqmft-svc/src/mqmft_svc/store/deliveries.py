"""Store which transfer wrote a place last, as far as a monitor may see its files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database.statements import Statement
from mqmft_svc.store.tables import delivery, monitor

_C: Final = delivery.c
_ANY_MONITOR: Final = Statement(sa.select(monitor.c.number).limit(1))


def any_monitor(connection: sa.Connection) -> bool:
    """Return whether there is a monitor: without one nobody asks for deliveries."""
    return _ANY_MONITOR.first(connection, {}) is not None


def note(connection: sa.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store deliveries, each with `place`, `transfer`, `size` and `at`; the one with the latest time of a place counts.

    Events come in any order, and again: of two with the same time that of the greater id counts.
    """
    # Sorted: workers that store the same places in different orders would deadlock.
    latest = sorted({row["place"]: row for row in sorted(rows, key=_moment)}.values(), key=lambda row: row["place"])
    if not latest:
        return
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added = insert(delivery)
    values = {name: added.excluded[name] for name in ("transfer", "size", "at")}
    newer = sa.tuple_(added.excluded.at, added.excluded.transfer) >= sa.tuple_(_C.at, _C.transfer)
    connection.execute(added.on_conflict_do_update(index_elements=["place"], set_=values, where=newer), latest)


def _moment(row: Mapping[str, Any]) -> tuple[int, str]:
    return row["at"], row["transfer"]


def find(connection: sa.Connection, places: Sequence[bytes], size: int | None) -> str | None:
    """Return the transfer that last wrote one of these places with this size; with None any size."""
    found = sa.select(_C.transfer).where(_C.place.in_(places)).order_by(_C.at.desc()).limit(1)
    if size is not None:
        found = found.where(_C.size == size)
    return connection.execute(found).scalar()


def purge(connection: sa.Connection, before: int, most: int) -> int:
    """Delete some of the deliveries before a time; return how many. Those that a worker changes now are left."""
    old = sa.select(_C.place).where(_C.at < before).limit(most).with_for_update(skip_locked=True)
    places = connection.execute(old).scalars().all()
    return connection.execute(sa.delete(delivery).where(_C.place.in_(places))).rowcount if places else 0
