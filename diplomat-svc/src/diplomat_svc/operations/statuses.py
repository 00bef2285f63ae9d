"""Tell what changed, so that no change is ever missed and none is told twice (A38)."""

from collections import Counter
from typing import Final

from diplomat_svc.domain.jobs import Statuses, cell
from diplomat_svc.operations import rights
from diplomat_svc.store import stamps
from diplomat_svc.store import statuses as store
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.identity import Identity

# How far `monitorTime` may be behind the wall clock before a read takes the lock: many pollers share one write.
_STALE_MS: Final = 20


def transaction_statuses(database: Database, clock: Clock, since: int | None, caller: Identity) -> Statuses:
    """Return the caller's transactions that changed after `since`, and the eight cells over all that it sees.

    `monitor_time` is a number that no later change can have: the greatest one given or answered as of the snapshot. A
    writer that is not seen in the snapshot takes, or has taken, a greater one.
    """
    with database.read() as connection:
        snapshot = store.read(connection, since)
    now = clock()
    if now - snapshot.as_of >= _STALE_MS:
        with database.write() as connection:
            stamps.promise(connection, now)
            snapshot = store.read(connection, since)
    sees = rights.sees(caller)
    cells = Counter(cell(direction, end) for name, direction, end in snapshot.ends if sees(name))
    changed = tuple(one for one in snapshot.changed if sees(one.name))
    return Statuses(monitor_time=snapshot.as_of, cells=cells, transactions=changed)
