"""Group the commits of concurrent writers, so that they share one wait for the disk."""

import contextlib
import contextvars
import fcntl
import os
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar, cast

import sqlalchemy as sa

from filestore_svc.store.call_combiner import CallCombiner, Take
from mft_common.database import Database
from mft_common.database.transient import is_transient
from mft_common.errors import Unavailable

_MOST: Final = 64
T = TypeVar("T")


class _Job(Generic[T]):
    def __init__(self, work: Callable[[sa.Connection], T]) -> None:
        self._work = work
        # Another thread may run the work; request id and log fields are those of the thread that asked for it.
        self._context = contextvars.copy_context()
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self, connection: sa.Connection) -> None:
        """Do the work."""
        self.result = self._context.run(self._work, connection)

    def run_apart(self, connection: sa.Connection) -> None:
        """Do the work in a savepoint, so that its failure undoes no other work."""
        try:
            with connection.begin_nested():
                self.run(connection)
        except Exception as error:
            if is_transient(error):
                raise
            # The thread that waits for this job raises it.
            self.error = error


class Commits:
    """Runs pieces of work, each atomically, in as few transactions as possible.

    SQLite has one writer at a time: the work that queues up while one transaction commits shares the next one. Where a
    piece of work fails, all of the transaction is rolled back and repeated with a savepoint for each piece; so a piece
    of work does nothing but change the database through its connection. PostgreSQL groups commits itself: each piece
    has its own transaction. A piece of work must not call `run`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._shared = database.dialect == "sqlite"
        self._transaction = database.writer()
        self._processes = _ProcessQueue(f"{database.url.database}.turn")
        self._combiner: CallCombiner[_Job[Any]] = CallCombiner(self._serve, _MOST)

    @property
    def waiting(self) -> int:
        """The number of pieces of work that are queued."""
        return self._combiner.waiting

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Return the result of `work(connection)` once it is committed; its error undoes its own changes only."""
        if not self._shared:
            with self.database.write() as connection:
                return work(connection)
        job = _Job(work)
        self._combiner.join(job)
        if job.error is not None:
            raise job.error
        return cast("T", job.result)

    def _serve(self, take: Take[_Job[Any]]) -> None:
        with self._processes.turn():
            # Taken after the wait for other processes: the work that was queued meanwhile is committed too.
            self._commit(take())

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        try:
            with self._transaction() as connection:
                for job in jobs:
                    job.run(connection)
        except Unavailable:
            raise
        except Exception:
            if len(jobs) == 1:
                raise
            with self._transaction() as connection:
                for job in jobs:
                    job.run_apart(connection)


class _ProcessQueue:
    """A queue of processes that write: SQLite itself would poll for its lock with ever longer pauses."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._pid = 0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the lock of the processes; only one thread of a process may call it at a time."""
        if self._pid != os.getpid():
            # A lock belongs to the open file: with its parent's descriptor a forked process would share the lock.
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, self._descriptor)
            self._pid = os.getpid()
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
