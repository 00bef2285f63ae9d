"""Stamp every change with a number of one clock that only moves forward (A38).

The clock's row is the lock of all writers: a transaction that advances the clock holds the row until it commits, so
changes become visible in the order of their stamps.
"""

from typing import Any

import sqlalchemy as sa

from diplomat_svc.store.tables import clock

_C = clock.c


def _greatest(connection: sa.Connection, *values: sa.ColumnElement[int] | int) -> Any:
    name = "greatest" if connection.dialect.name == "postgresql" else "max"
    return getattr(sa.func, name)(*values, type_=sa.BigInteger())


def lock(connection: sa.Connection) -> None:
    """Lock the clock's row without a change: a transaction that may advance the clock later takes the lock first."""
    connection.execute(sa.select(_C.id).with_for_update())


def advance(connection: sa.Connection, now: int) -> int:
    """Return a stamp greater than all before it and than every `monitorTime` answered, and not behind `now`."""
    number = _greatest(connection, _C.stamp + 1, _C.answered + 1, now)
    return int(connection.execute(sa.update(clock).values(stamp=number).returning(_C.stamp)).scalar_one())


def next_sequence(connection: sa.Connection) -> int:
    """Return the next job's number: one counter for the whole service, never used twice (67, E19)."""
    return int(
        connection.execute(sa.update(clock).values(sequence=_C.sequence + 1).returning(_C.sequence)).scalar_one()
    )


def greatest(connection: sa.Connection) -> int:
    """Return the greatest number given or answered: every later change has a greater one."""
    row = connection.execute(sa.select(_C.stamp, _C.answered)).one()
    return max(int(row.stamp), int(row.answered))


def raise_floor(connection: sa.Connection, now: int) -> None:
    """Keep the stamps of later changes above `now`, so that `now` may be answered as a `monitorTime`."""
    connection.execute(sa.update(clock).values(answered=_greatest(connection, _C.answered, _C.stamp, now)))
