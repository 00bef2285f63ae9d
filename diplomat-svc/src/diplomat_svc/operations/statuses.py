"""List what changed, so that a poller misses no change and gets none twice (A38)."""

from collections import Counter
from typing import Final

from diplomat_svc.domain.histories import Statuses
from diplomat_svc.domain.states import cell
from diplomat_svc.operations import rights
from diplomat_svc.store import change_clock
from diplomat_svc.store import statuses as store
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.identity import Identity

# A snapshot that is this fresh is answered without a write, so that many pollers share one.
_STALE_MS: Final = 20


def transaction_statuses(database: Database, clock: Clock, since: int | None, caller: Identity) -> Statuses:
    """Return the caller's transactions that changed after `since`, and the eight cells over all that it may see.

    `monitor_time` is the greatest stamp given or answered as of the snapshot, so no later change can have it: a writer
    that the snapshot does not show gets a greater one.
    """
    # Before the data is read: what is read under the writers' lock would hold them up, and be read twice.
    monitor_time(database, clock)
    with database.read() as connection:
        snapshot = store.read(connection, since)
    visible = rights.visible_to(caller)
    cells = Counter(cell(direction, end) for name, direction, end in snapshot.ends if visible(name))
    changed = tuple(one for one in snapshot.changed if visible(one.name))
    return Statuses(monitor_time=snapshot.as_of, cells=cells, transactions=changed)


def monitor_time(database: Database, clock: Clock) -> int:
    """Return the time of an answer whose data is read after this call; no change that it lacks has a lower stamp."""
    greatest = database.query(change_clock.greatest)
    now = clock()
    if now - greatest < _STALE_MS:
        return greatest
    with database.write() as connection:
        change_clock.raise_floor(connection, now)
        return change_clock.greatest(connection)
