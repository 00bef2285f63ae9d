"""Insert, take, change and end jobs; each change of status also stamps the job's transaction (A40)."""

import json
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job, Requester
from diplomat_svc.domain.states import ABORTING, ACTIVE, COMPLETE, DELAYED, QUEUED, RUNNING, WAITING
from diplomat_svc.domain.transactions import Transaction
from diplomat_svc.store import change_clock, job_statements
from diplomat_svc.store.files import storable
from diplomat_svc.store.tables import JOB_LOG, jobs
from mft_common.database.leases import LeaseLost
from mft_common.database.statements import Connection, Statement

_C = jobs.c
_COLUMNS = (
    *("sequence", "transaction_id", "transfer_id", "scheduled_at", "updated_at", "began_at", "ended_at", "status"),
    *("completion", "found", "successful", "failed", "warnings", "retries", "attempt", "lease"),
    *("bytes_total", "bytes_done", "caused_by", "audit", "reason"),
)
_ANY_TAKEABLE = Statement(job_statements.takeable())
# Only active jobs have an owner.
_STOP_REQUESTS = Statement(
    sa.select(_C.sequence, _C.status).where(
        job_statements.NOT_OVER, _C.owner == sa.bindparam("by", type_=sa.String), _C.status != RUNNING
    )
)


def _mine(job: Job, owner: str) -> dict[str, Any]:
    return {"job": job.sequence, "by": owner, "lent": job.lease}


@lru_cache(maxsize=4096)
def definition_of(text: str) -> Transaction:
    """Parse the copy of a definition; many jobs have the same one."""
    return Transaction.from_json(text)


def _variables(text: str) -> dict[str, str]:
    variables: dict[str, str] = {} if text == "{}" else json.loads(text)
    return variables


def job_of(row: Any, prefix: str = "") -> Job:
    """Return the job of a row; `prefix` is that of the row's column names."""
    definition, variables, account, label, address, *values = _getter(prefix)(row)
    return Job(
        **dict(zip(_COLUMNS, values, strict=True)),
        definition=definition_of(definition),
        variables=_variables(variables),
        requester=Requester(account=account, label=label, address=address),
    )


@lru_cache(maxsize=4)
def _getter(prefix: str) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads the parsed columns, those of the requester and `_COLUMNS` of a row."""
    names = ("definition", "variables", "account", "label", "address", *_COLUMNS)
    return attrgetter(*(prefix + name for name in names))


def add(connection: sa.Connection, job: Job, request_id: str, due_at: int = 0) -> None:
    """Store a new job and make it the most recent one of its transaction (A33); a delayed one is queued at `due_at`."""
    values = {name: getattr(job, name) for name in _COLUMNS}
    connection.execute(
        sa.insert(jobs).values(
            **values,
            definition=job.definition.to_json(),
            variables=json.dumps(dict(job.variables)),
            account=job.requester.account,
            label=job.requester.label,
            address=job.requester.address,
            request_id=request_id,
            due_at=due_at,
        )
    )
    _stamp_transaction(connection, job, job.updated_at)


def _stamp_transaction(connection: sa.Connection, job: Job, stamp: int) -> None:
    """Stamp the job's transaction; the last end that it shows is that of its most recent job."""
    values = {"number": job.transaction_id, "job": job.sequence, "end": job.completion, "new_stamp": stamp}
    job_statements.STAMP.run(connection, values)
    job_statements.NEWEST.run(connection, values)


def any_takeable(connection: Connection, now: int) -> bool:
    """Return whether `take` would find a job; a cheap read, many times a second, before `take` takes the lock."""
    return _ANY_TAKEABLE.first(connection, {"now": now}) is not None


def take(connection: sa.Connection, owner: str, now: int) -> tuple[Job, str] | None:
    """Give the first queued job whose transaction is idle to `owner`; also return the id of the request behind it.

    It advances the clock first, whose lock lets one worker at a time search (E12).
    """
    stamp = change_clock.advance(connection, now)
    rows = job_statements.TAKE.all(connection, {"by": owner, "now": stamp})
    if not rows:
        return None
    job = job_of(job_statements.Row(*rows[0]))
    _stamp_transaction(connection, job, stamp)
    return job, str(rows[0][job_statements.REQUEST_ID])


def next_to_take(connection: sa.Connection, now: int) -> Job | None:
    """Return the job that `take` would give; the clock is advanced, so that no other worker takes it meanwhile."""
    found = sa.select(jobs).where(
        _C.sequence == job_statements.takeable().params(now=change_clock.advance(connection, now)).scalar_subquery()
    )
    row = connection.execute(found).one_or_none()
    return None if row is None else job_of(row)


def release(connection: sa.Connection, sequence: int, now: int) -> Job | None:
    """Queue a delayed job; return its new state, or None where it is not delayed any more."""
    stamp = change_clock.advance(connection, now)
    return _move_on(connection, stamp, _C.sequence == sequence, _C.status == DELAYED, status=QUEUED)


def abort(connection: sa.Connection, job: Job, owner: str, now: int) -> Job | None:
    """Let a job of `owner` be aborting while what it left is removed; None where it is not running any more."""
    stamp = change_clock.advance(connection, now)
    mine = (_C.sequence == job.sequence, _C.owner == owner, _C.lease == job.lease)
    return _move_on(connection, stamp, *mine, _C.status == RUNNING, status=ABORTING)


def _move_on(connection: sa.Connection, stamp: int, *where: sa.ColumnElement[bool], **values: Any) -> Job | None:
    """Change columns of the job of which `where` is true and stamp it; return its new state, None where none is."""
    moved = sa.update(jobs).where(*where).values(**values, updated_at=stamp).returning(*jobs.c)
    row = connection.execute(moved).one_or_none()
    if row is None:
        return None
    job = job_of(row)
    _stamp_transaction(connection, job, stamp)
    return job


def causes(connection: sa.Connection, transfer_id: str) -> set[int]:
    """Return the transactions whose jobs, one by the file of the other, led to a transfer; its own is among them."""
    found: set[int] = set()
    wanted: str | None = transfer_id
    while wanted is not None:
        mine = sa.select(_C.transaction_id, _C.caused_by).where(_C.transfer_id == wanted)
        row = connection.execute(mine).one_or_none()
        if row is None or row.transaction_id in found:
            break
        found.add(row.transaction_id)
        wanted = row.caused_by
    return found


def change(connection: sa.Connection, job: Job, owner: str, **values: Any) -> None:
    """Change columns of a job that `owner` still owns; LeaseLost when it does not (E13)."""
    given = {f"new_{name}": value for name, value in values.items()}
    if job_statements.change(tuple(values)).run(connection, {**_mine(job, owner), **given}) != 1:
        raise LeaseLost(f"job {job.sequence} has another owner, or is over")


def is_owned(connection: Connection, job: Job, owner: str) -> bool:
    """Return whether `owner` still owns a job, also where somebody asked to stop it."""
    return job_statements.IS_OWNED.first(connection, _mine(job, owner)) is not None


def is_owner(connection: Connection, job: Job, owner: str) -> bool:
    """Return whether `owner` still owns a running job that nobody asked to stop."""
    return job_statements.IS_OWNER.first(connection, _mine(job, owner)) is not None


def stop_requests(connection: Connection, owner: str) -> dict[int, str]:
    """Return the active jobs of `owner` that are to be stopped, with the status that says how."""
    return {row[0]: row[1] for row in _STOP_REQUESTS.all(connection, {"by": owner})}


def end(
    connection: sa.Connection, job: Job, completion: str, now: int, *, reason: str | None, owner: str | None = None
) -> Job | None:
    """End a job once; return its new state, or None when it was over already or is not `owner`'s, if one is given.

    With `reason` None the one stays that the request to stop the job has stored.
    The clock's row is locked before the job's, as everywhere: locks taken in one order cannot deadlock. The stamp is
    the time of the end, because `now` was read before the wait for the lock.
    """
    stamp = change_clock.advance(connection, now)
    why = None if reason is None else storable(reason)
    values = {"job": job.sequence, "end": completion, "now": stamp, "why": why}
    whose = {} if owner is None else _mine(job, owner)
    rows = (job_statements.END if owner is None else job_statements.END_MINE).all(connection, {**whose, **values})
    if not rows:
        return None
    ended = job_of(job_statements.Row(*rows[0]))
    _stamp_transaction(connection, ended, stamp)
    return ended


def queue_again(connection: sa.Connection, job: Job, now: int, owner: str | None = None) -> Job | None:
    """Let a running job wait for its next attempt; return its new state, or None as `end` does.

    A job that somebody asked to stop is not queued again.
    """
    stamp = change_clock.advance(connection, now)
    whose = sa.true() if owner is None else _C.owner == owner
    mine = (_C.sequence == job.sequence, _C.lease == job.lease, _C.status == RUNNING, whose)
    due_at = stamp + round(job.definition.retries.job_delay * 1000)
    values = {"status": QUEUED, "owner": None, "attempt": job.attempt + 1, "audit": "", "due_at": due_at}
    return _move_on(connection, stamp, *mine, **values)


def completion_before(connection: sa.Connection, job: Job) -> str | None:
    """Return how the last job of the transaction that is over and older than `job` ended; None where there is none."""
    earlier = (_C.transaction_id == job.transaction_id, _C.sequence < job.sequence, _C.status == COMPLETE)
    last = sa.select(_C.completion).where(*earlier).order_by(_C.sequence.desc()).limit(1)
    return connection.execute(last).scalar_one_or_none()


def find_active(connection: sa.Connection) -> dict[int, str | None]:
    """Return the sequences of the active jobs with their owners."""
    active = (
        sa.select(_C.sequence, _C.owner).where(job_statements.NOT_OVER, _C.status.in_(ACTIVE)).order_by(_C.sequence)
    )
    return {row.sequence: row.owner for row in connection.execute(active)}


def find_waiting(connection: sa.Connection) -> list[int]:
    """Return the sequences of the jobs that wait for their first attempt, in order."""
    first = (job_statements.NOT_OVER, _C.status.in_(WAITING), _C.attempt == 1)
    waiting = sa.select(_C.sequence).where(*first).order_by(_C.sequence)
    return list(connection.execute(waiting).scalars())


def load(connection: sa.Connection, sequence: int) -> Job:
    """Return a job."""
    return job_of(connection.execute(sa.select(jobs).where(_C.sequence == sequence)).one())


def add_record(connection: sa.Connection, sequence: int, at: int, severity: str, text: str) -> None:
    """Add a record to a job's log (E39)."""
    JOB_LOG.append(connection, str(sequence), at, severity, text)


def with_kept_logs() -> sa.Select[Any]:
    """Select the subjects of the logs that no purge touches: those of jobs that are not over (E41)."""
    return sa.select(sa.cast(_C.sequence, sa.String(128))).where(_C.status != COMPLETE)
