"""Read the data of transactionStatuses as of one moment."""

from dataclasses import dataclass, replace

import sqlalchemy as sa

from diplomat_svc.domain.jobs import TransactionStatus
from diplomat_svc.domain.transactions import SCHEDULED
from diplomat_svc.store import files, timers
from diplomat_svc.store.jobs import job_of
from diplomat_svc.store.tables import clock, jobs, transactions


@dataclass(frozen=True)
class Snapshot:
    """The changes after a stamp; every other change has, or will get, a stamp above `as_of`."""

    as_of: int
    changed: tuple[TransactionStatus, ...]
    ends: tuple[tuple[str, str, str | None], ...]


def read(connection: sa.Connection, since: int | None) -> Snapshot:
    """Return the transactions whose stamp is greater than `since`, by id, and name, direction and last end of all."""
    t = transactions.c
    changed = sa.and_(sa.not_(t.removed), sa.true() if since is None else t.stamp > since)
    head = [t.id.label("t_id"), t.name.label("t_name"), t.direction.label("t_direction"), t.state.label("t_state")]
    # One statement, hence one moment on every database; the clock's row comes also when nothing changed.
    rows = connection.execute(
        sa.select(clock.c.stamp, clock.c.answered, *head, *[column.label(f"j_{column.name}") for column in jobs.c])
        .select_from(clock.outerjoin(transactions, changed).outerjoin(jobs, jobs.c.sequence == t.last_sequence))
        .order_by(t.id)
    ).all()
    found = [row for row in rows if row.t_id is not None]
    next_at = timers.next_times(connection, [row.t_id for row in found if row.t_state == SCHEDULED])
    moved = files.of_jobs(connection, [row.j_sequence for row in found if row.j_sequence is not None])
    statuses = tuple(
        TransactionStatus(
            id=row.t_id,
            name=row.t_name,
            direction=row.t_direction,
            state=row.t_state,
            job=None if row.j_sequence is None else replace(job_of(row, "j_"), next_scheduled=next_at.get(row.t_id)),
            files=tuple(moved.get(row.j_sequence, ())),
        )
        for row in found
    )
    everyone = sa.select(t.name, t.direction, t.last_completion).where(sa.not_(t.removed))
    ends = tuple((row.name, row.direction, row.last_completion) for row in connection.execute(everyone))
    return Snapshot(max(rows[0].stamp, rows[0].answered), statuses, ends)
