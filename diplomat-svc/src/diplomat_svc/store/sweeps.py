"""Store which jobs that are over may have left temporary files, and when to try to remove them next.

Times are those of the wall clock: where machines disagree, a removal is tried earlier or later, and twice does no harm.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from diplomat_svc.domain.jobs import Job
from diplomat_svc.store import files
from diplomat_svc.store.jobs import job_of
from diplomat_svc.store.tables import jobs, sweeps
from mft_common.backoff import pause_after
from mft_common.database.statements import Connection, Statement

_C = sweeps.c
_FIRST_MS: Final = 60_000
_MOST_MS: Final = 3_600_000
# How many due removals are looked through for destinations that are free.
_LOOK_AT: Final = 2_000
_COUNT = Statement(sa.select(sa.func.count()).select_from(sweeps))
_ANY_DUE = Statement(sa.select(_C.sequence).where(_C.due_at <= sa.bindparam("now", type_=sa.BigInteger)).limit(1))


@dataclass(frozen=True)
class Sweep:
    """A job whose temporary files are to be removed, the names of some of them, and how often that was begun.

    `unrecorded` are names, at the source and at the destination, of files that may be delivered all the same (E18).
    """

    job: Job
    tries: int
    temporaries: tuple[str, ...] = ()
    unrecorded: tuple[tuple[str, str], ...] = ()


def add(connection: sa.Connection, sequence: int, now: int) -> None:
    """Record that a job may have left temporary files; nothing changes where that is recorded."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(sweeps).values(sequence=sequence, tries=0, due_at=now)
    connection.execute(row.on_conflict_do_nothing())


def any_due(connection: Connection, now: int) -> bool:
    """Return whether a removal is due; a cheap read."""
    return _ANY_DUE.first(connection, {"now": now}) is not None


def count(connection: Connection) -> int:
    """Return how many jobs may have left temporary files."""
    ((found,),) = _COUNT.all(connection, {})
    return int(found)


def claim(connection: sa.Connection, now: int, most: int, busy: Collection[str] = ()) -> list[Sweep]:
    """Return removals that are due, `most` of them at most, and put off the next try of each, longer each time.

    They have different destinations, none of which is in `busy`, so that a far side that hangs holds up itself alone.
    The next try is the one of whoever claims it then: a worker that dies in the middle holds nothing back.
    """
    due = sa.select(sweeps, *[column.label(f"j_{column.name}") for column in jobs.c])
    due = due.join(jobs, jobs.c.sequence == _C.sequence).where(_C.due_at <= now).order_by(_C.due_at, _C.sequence)
    claimed: list[Sweep] = []
    taken = set(busy)
    for row in connection.execute(due.limit(_LOOK_AT)).all():
        if len(claimed) == most:
            break
        job, tries = job_of(row, "j_"), row.tries + 1
        if job.definition.destination.url in taken:
            continue
        taken.add(job.definition.destination.url)
        unclaimed = (_C.sequence == row.sequence, _C.due_at == row.due_at)
        later = {"tries": tries, "due_at": now + pause_after(tries, _FIRST_MS, _MOST_MS)}
        if connection.execute(sa.update(sweeps).where(*unclaimed).values(**later)).rowcount == 1:
            names = files.temporaries(connection, job.sequence), files.unrecorded(connection, job.sequence)
            claimed.append(Sweep(job, tries, *names))
    return claimed


def put_back(connection: sa.Connection, sequence: int, now: int) -> None:
    """Make a removal due at once that was interrupted by the end of its worker."""
    connection.execute(sa.update(sweeps).where(_C.sequence == sequence).values(due_at=now))


def remove(connection: sa.Connection, sequence: int) -> None:
    """Delete the record of a job that has left nothing."""
    connection.execute(sa.delete(sweeps).where(_C.sequence == sequence))
