"""Delete old records of logs in small batches (E41)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.database import Database
from mft_common.joblog.log import JobLog
from mft_common.process.background_tasks import BackgroundTask, periodic_task

_BATCH: Final = 2_000
_SUBJECTS: Final = 200
_FIRST_S: Final = 600.0
_EVERY_S: Final = 86_400.0


@dataclass(frozen=True)
class Retention:
    """How long records are kept; None for no limit.

    `age`: a subject's whole log is deleted once its newest record is older, in seconds. `count`: the records of one
    subject, of which the oldest go first; one record, whose `dropped` counts them, takes their place.
    """

    age: float | None = None
    count: int | None = None


def purge(database: Database, log: JobLog, retention: Retention, active: sa.Select[Any], now: int) -> int:
    """Delete what `retention` does not keep and return how many records; `now` is in milliseconds.

    `active` selects subjects whose logs are not touched. Neither are those of open views. Both are asked again in each
    batch's transaction.
    """
    c = log.records.c
    spared = sa.or_(c.subject.in_(active), c.subject.in_(sa.select(log.views.c.subject)))
    deleted = 0
    if retention.age is not None:
        before = now - round(retention.age * 1000)
        old = sa.select(c.subject).where(sa.not_(spared)).group_by(c.subject).having(sa.func.max(c.at) < before)
        subjects = _subjects(database, old)
        for start in range(0, len(subjects), _SUBJECTS):
            deleted += _delete(database, log, subjects[start : start + _SUBJECTS], spared)
    if retention.count is not None:
        long = sa.select(c.subject).where(sa.not_(spared)).group_by(c.subject)
        for subject in _subjects(database, long.having(sa.func.count() > retention.count)):
            deleted += _shorten(database, log, subject, retention.count, spared)
    return deleted


def _subjects(database: Database, which: sa.Select[Any]) -> Sequence[str]:
    with database.read() as connection:
        return list(connection.execute(which).scalars())


def _delete(database: Database, log: JobLog, subjects: Sequence[str], spared: sa.ColumnElement[bool]) -> int:
    c = log.records.c
    batch = sa.select(c.id).where(c.subject.in_(subjects), sa.not_(spared)).order_by(c.id).limit(_BATCH)
    deleted, count = 0, _BATCH
    while count == _BATCH:
        with database.write() as connection:
            count = connection.execute(sa.delete(log.records).where(c.id.in_(batch))).rowcount
        deleted += count
    return deleted


def _shorten(database: Database, log: JobLog, subject: str, keep: int, spared: sa.ColumnElement[bool]) -> int:
    """Delete the oldest records beyond `keep`, and let the newest of the deleted ones stand for all of them."""
    c = log.records.c
    deleted = 0
    while True:
        with database.write() as connection:
            mine = (c.subject == subject, sa.not_(spared))
            count = connection.execute(sa.select(sa.func.count()).where(*mine).select_from(log.records)).scalar_one()
            # At least two become one, so that the subject has `keep` records afterwards.
            excess = min(count - keep + 1, _BATCH)
            if excess < 2:
                return deleted
            oldest = sa.select(c.id, c.dropped).where(*mine).order_by(c.id).limit(excess)
            rows = connection.execute(oldest).all()
            mark, gone = rows[-1].id, [row.id for row in rows[:-1]]
            dropped = sum(row.dropped or 1 for row in rows)
            connection.execute(sa.delete(log.records).where(c.subject == subject, c.id.in_(gone)))
            connection.execute(sa.update(log.records).where(c.id == mark).values(dropped=dropped, text=""))
            deleted += len(gone)


def purge_task(
    name: str,
    database: Database,
    log: JobLog,
    retention: Callable[[], Retention],
    active: sa.Select[Any],
    *,
    now: clock.Clock = clock.now_ms,
    first: float = _FIRST_S,
    every: float = _EVERY_S,
) -> BackgroundTask:
    """Return the task of a worker that purges `first` seconds after its start and then each `every` seconds."""

    def work() -> None:
        deleted = purge(database, log, retention(), active, now())
        logs.get("joblog").info("joblog.purged", task=name, records=deleted)

    return periodic_task(name, work, every=every, first=first)
