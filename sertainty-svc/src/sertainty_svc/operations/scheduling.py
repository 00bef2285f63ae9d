"""Begin executions of Time tasks at their times (85)."""

from typing import Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.schedules import Firing, TimerService
from sertainty_svc.operations.queueing import Queueing
from sertainty_svc.store import turns
from sertainty_svc.store.tables import TIMERS

# An agent without a heartbeat for this time is offline (68), and what was due meanwhile is not made up.
_GRACE_MS: Final = 10_000


def timers_of(database: Database, queueing: Queueing, now: Clock) -> TimerService:
    """Return what a worker runs to keep the times of tasks.

    The execution of a due time is queued in the transaction that moves the timer on, so that none is lost or doubled. A
    time at which the former execution lasts is skipped, and so is one of a task that may not run any more.
    """
    log = logs.get("schedules")

    def fire(connection: sa.Connection, firing: Firing) -> None:
        task = turns.lock(connection, _task_of(firing.key))
        if reason := turns.refusal(connection, task):
            log.info("schedule.skipped", timer=firing.key, due_at=firing.due_at, reason=reason)
            return
        assert task is not None
        queueing.queue(connection, task)

    return TimerService(database, TIMERS, fire, grace=_GRACE_MS, now=now, lock=_lock)


def _lock(connection: sa.Connection, key: str) -> None:
    turns.lock(connection, _task_of(key))


def _task_of(key: str) -> int:
    return int(key.rpartition("/")[2])
