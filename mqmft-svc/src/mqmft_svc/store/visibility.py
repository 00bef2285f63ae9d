"""Store from which moment on transfers are visible where each start of the hub hides the earlier ones (200)."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database import advisory_lock
from mqmft_svc.store.tables import counter, hidden, transfer, visible_since

# A start is one before which nothing of the hub has run for so long; each worker notes that it runs this often.
LAPSE_MS: Final = 20_000
NOTED_EVERY_S: Final = 5.0
_V: Final = visible_since.c
_ONE: Final = 0
_SINCE: Final = sa.select(_V.since)
_SUMS: Final = [sa.select(sa.func.coalesce(sa.func.sum(one.c.value), 0)).scalar_subquery() for one in (counter, hidden)]
_VISIBLE: Final = sa.select(_SUMS[0] - _SUMS[1])


def begin(connection: sa.Connection, now: int, started_at: int | None) -> None:
    """Hide the transfers of the time before this start of the hub.

    `started_at` is when the hub has started, for all of its processes the same; None where nobody knows it: then a
    process joins a hub of which another one has run in the last 20 s. The database counts which transfers are hidden
    from then on.
    """
    # Processes that start at the same time find one moment.
    advisory_lock(connection, "mqmft-svc visibility")
    row = connection.execute(sa.select(visible_since)).one_or_none()
    if started_at is None:
        joins = row is not None and abs(now - row.noted_at) <= LAPSE_MS
    else:
        joins = row is not None and row.since == started_at
    if joins:
        note(connection, now)
    else:
        _hide(connection, now if started_at is None else started_at, now)


def _hide(connection: sa.Connection, since: int, now: int) -> None:
    if connection.dialect.name == "postgresql":
        # A transaction that has inserted a transfer, and counted it by the former moment, ends before.
        connection.execute(sa.text("LOCK TABLE transfer IN SHARE MODE"))
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {"since": since, "noted_at": now}
    added = insert(visible_since).values(id=_ONE, **values)
    connection.execute(added.on_conflict_do_update(index_elements=["id"], set_=values))
    connection.execute(sa.delete(hidden))
    # Few transfers are newer than this moment.
    newer = sa.select(sa.func.count()).where(transfer.c.started_at >= since).scalar_subquery()
    connection.execute(sa.insert(hidden).from_select(["slot", "value"], sa.select(sa.literal(0), _SUMS[0] - newer)))


def note(connection: sa.Connection, now: int) -> None:
    """Note that a process of the hub runs."""
    connection.execute(sa.update(visible_since).values(noted_at=now))


def since(connection: sa.Connection) -> int:
    """Return the moment (ms): transfers that began before it are hidden."""
    return int(connection.execute(_SINCE).scalar_one())


def count(connection: sa.Connection) -> int:
    """Return how many transfers are visible, from the counters."""
    return int(connection.execute(_VISIBLE).scalar_one())
