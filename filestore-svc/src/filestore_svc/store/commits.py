"""Let writers that come at the same time share one commit, and with it one wait for the disk."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

from mft_common.database import Database

T = TypeVar("T")


class _Job(Generic[T]):
    def __init__(self, work: Callable[[sa.Connection], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: BaseException | None = None
        self.over = False

    def run(self, connection: sa.Connection, *, alone: bool) -> None:
        """Do the work; beside others in a savepoint, so that its failure is its own."""
        if alone:
            self.result = self.work(connection)
            return
        try:
            with connection.begin_nested():
                self.result = self.work(connection)
        except sa.exc.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 -- whoever waits for this job gets it
            self.error = error


class Commits:
    """Runs pieces of work, each all or nothing, in as few transactions as the writers of this process allow.

    SQLite has one writer at a time: those that wait while one commits are committed together by the next of them.
    On PostgreSQL, which does this itself, each has its own transaction. A piece of work must not call `run`.
    """

    _MOST = 64

    def __init__(self, database: Database) -> None:
        self.database = database
        self._shared = database.dialect == "sqlite"
        self._queue: list[_Job[Any]] = []
        self._queued = threading.Lock()
        self._leader = threading.Lock()

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Return what `work(connection)` returns, once it is committed; what it raises undoes it alone."""
        if not self._shared:
            with self.database.write() as connection:
                return work(connection)
        job = _Job(work)
        with self._queued:
            self._queue.append(job)
        with self._leader:
            if not job.over:
                self._lead()
        if job.error is not None:
            raise job.error
        return cast("T", job.result)

    def _lead(self) -> None:
        with self._queued:
            jobs, self._queue = self._queue[: self._MOST], self._queue[self._MOST :]
        try:
            with self.database.write() as connection:
                for job in jobs:
                    job.run(connection, alone=len(jobs) == 1)
        except Exception as error:  # noqa: BLE001 -- nothing of them was committed, and each has to hear it
            for job in jobs:
                job.error = job.error or error
        finally:
            for job in jobs:
                job.over = True
