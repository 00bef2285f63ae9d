"""Find the transactions and jobs that requests name, removed transactions among them: their jobs may be asked for."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.states import ACTIVE, COMPLETE, DELAYED, QUEUED
from diplomat_svc.store.files import storable
from diplomat_svc.store.jobs import job_of
from diplomat_svc.store.tables import jobs, transactions

_C = jobs.c
_T = transactions.c
_PAGE: Final = 100
# The most files whose records are read at a time, but for a single job with more.
_FILES: Final = 2_000


class Named(NamedTuple):
    """A transaction of the present or the past; several had a name when it was removed and configured again."""

    id: int
    name: str
    direction: str


def named(connection: sa.Connection, *, number: int | None = None, name: str | None = None) -> list[Named]:
    """Return the transactions of an id, or else of a name; the one that is configured now comes first."""
    by = _T.id == number if number is not None else _T.name == name
    rows = connection.execute(sa.select(_T.id, _T.name, _T.direction).where(by).order_by(_T.removed, _T.id.desc()))
    return [Named(*row) for row in rows]


def newest(connection: sa.Connection, ids: Sequence[int]) -> Job | None:
    """Return the job with the highest sequence (A33)."""
    found = sa.select(jobs).where(_C.transaction_id.in_(ids)).order_by(_C.sequence.desc()).limit(1)
    row = connection.execute(found).one_or_none()
    return None if row is None else job_of(row)


def to_stop(connection: sa.Connection, ids: Sequence[int]) -> Job | None:
    """Return the job that a request to stop is about: the active one, else the one that would run next (A34)."""
    mine = _C.transaction_id.in_(ids)
    for statuses in (ACTIVE, (QUEUED,), (DELAYED,)):
        # A queued job keeps its place while it waits for its next attempt, a delayed one has none yet.
        order = (_C.due_at, _C.sequence) if DELAYED in statuses else (_C.sequence,)
        found = sa.select(jobs).where(mine, _C.status.in_(statuses)).order_by(*order).limit(1)
        row = connection.execute(found).one_or_none()
        if row is not None:
            return job_of(row)
    return None


def with_sequence(connection: sa.Connection, sequence: int, name: str) -> Job | None:
    """Return the job of a sequence whose transaction had this name when it was scheduled, or has it now (53)."""
    present = sa.select(jobs, _T.name.label("present_name")).join(transactions, _T.id == _C.transaction_id)
    row = connection.execute(present.where(_C.sequence == sequence)).one_or_none()
    if row is None:
        return None
    job = job_of(row)
    return job if name in (job.definition.name, row.present_name) else None


def find(connection: sa.Connection, sequence: int) -> Job | None:
    """Return the job of a sequence."""
    row = connection.execute(sa.select(jobs).where(_C.sequence == sequence)).one_or_none()
    return None if row is None else job_of(row)


def recent(
    connection: sa.Connection, *, ids: Sequence[int] | None = None, unfinished: bool = False, most: int
) -> list[Job]:
    """Return jobs, the newest first: of some transactions, or those alone that are not over."""
    mine = sa.true() if ids is None else _C.transaction_id.in_(ids)
    which = sa.and_(mine, _C.status != COMPLETE) if unfinished else mine
    rows = connection.execute(sa.select(jobs).where(which).order_by(_C.sequence.desc()).limit(most))
    return [job_of(row) for row in rows]


def ask_to_stop(connection: sa.Connection, job: Job, status: str, reason: str, stamp: int) -> None:
    """Set the status of an active job that its worker obeys, and why; the caller holds the change clock."""
    values = {"status": status, "reason": storable(reason), "updated_at": stamp}
    connection.execute(sa.update(jobs).where(_C.sequence == job.sequence).values(values))
    connection.execute(sa.update(transactions).where(_T.id == job.transaction_id).values(stamp=stamp))
