"""Delete old executions, old entries of the logs of tasks (10.6), and failed files that are gone."""

from typing import Final

import sqlalchemy as sa

from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.joblog import Retention, purge
from mft_common.process.background_tasks import BackgroundTask, periodic_task
from sertainty_svc.store import executions, failed_files
from sertainty_svc.store.tables import TASK_LOG

_EXECUTIONS: Final = 1_000
_ENTRIES: Final = 20_000
_BATCH: Final = 500
_EVERY_S: Final = 60.0
_NO_SUBJECT: Final = sa.select(TASK_LOG.records.c.subject).where(sa.false())


def purge_executions(database: Database, now: Clock, *, keep: int = _EXECUTIONS, entries: int = _ENTRIES) -> None:
    """Delete all but the newest `keep` executions and `entries` log entries of each task, in small transactions.

    Failed files that are in their folders no more are forgotten.
    """
    deleted = _BATCH
    while deleted == _BATCH:
        with database.write() as connection:
            deleted = executions.purge(connection, keep, _BATCH)
    deleted = _BATCH
    while deleted == _BATCH:
        with database.write() as connection:
            deleted = failed_files.purge(connection, _BATCH)
    purge(database, TASK_LOG, Retention(count=entries), _NO_SUBJECT, now())


def purge_task(name: str, database: Database, now: Clock) -> BackgroundTask:
    """Return the worker's task that does so once a minute."""
    return periodic_task(name, lambda: purge_executions(database, now), every=_EVERY_S, first=_EVERY_S)
