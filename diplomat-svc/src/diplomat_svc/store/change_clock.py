"""Stamp every change with a number of one clock that only moves forward (A38).

The clock's row is the lock of all writers: a transaction that advances the clock holds the row until it commits, so
changes become visible in the order of their stamps.
"""

from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.store.tables import clock
from mft_common.database.statements import Connection, Statement

_C = clock.c
_NOW: Final = sa.bindparam("now", type_=sa.BigInteger())


def _by_dialect(make: Any) -> dict[str, Statement]:
    """Return a statement for each dialect; `make` gets the function that returns the greatest of its arguments."""
    return {
        "postgresql": Statement(make(lambda *values: sa.func.greatest(*values, type_=sa.BigInteger()))),
        "sqlite": Statement(make(lambda *values: sa.func.max(*values, type_=sa.BigInteger()))),
    }


_ADVANCE: Final = _by_dialect(
    lambda greatest: sa.update(clock).values(stamp=greatest(_C.stamp + 1, _C.answered + 1, _NOW)).returning(_C.stamp)
)
_RAISE: Final = _by_dialect(lambda greatest: sa.update(clock).values(answered=greatest(_C.answered, _C.stamp, _NOW)))
_NEXT: Final = Statement(sa.update(clock).values(sequence=_C.sequence + 1).returning(_C.sequence))
_GREATEST: Final = Statement(sa.select(_C.stamp, _C.answered))


def lock(connection: sa.Connection) -> None:
    """Lock the clock's row without a change: a transaction that may advance the clock later takes the lock first."""
    connection.execute(sa.select(_C.id).with_for_update())


def advance(connection: sa.Connection, now: int) -> int:
    """Return a stamp greater than all before it and than every `monitorTime` answered, and not behind `now`."""
    ((stamp,),) = _ADVANCE[connection.dialect.name].all(connection, {"now": now})
    return int(stamp)


def next_sequence(connection: sa.Connection) -> int:
    """Return the next job's number: one counter for the whole service, never used twice (67, E19)."""
    ((sequence,),) = _NEXT.all(connection, {})
    return int(sequence)


def greatest(connection: Connection) -> int:
    """Return the greatest number given or answered: every later change has a greater one."""
    ((stamp, answered),) = _GREATEST.all(connection, {})
    return max(int(stamp), int(answered))


def raise_floor(connection: sa.Connection, now: int) -> None:
    """Keep the stamps of later changes above `now`, so that `now` may be answered as a `monitorTime`."""
    _RAISE[connection.dialect.name].run(connection, {"now": now})
