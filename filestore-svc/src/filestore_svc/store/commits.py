"""Let writers that come at the same time share one commit, and with it one wait for the disk."""

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
        # Whoever does the work: the request that it is part of is that of the thread which brought it.
        self._context = contextvars.copy_context()
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self, connection: sa.Connection) -> None:
        """Do the work."""
        self.result = self._context.run(self._work, connection)

    def run_apart(self, connection: sa.Connection) -> None:
        """Do the work in a savepoint, so that its failure is its own."""
        try:
            with connection.begin_nested():
                self.run(connection)
        except Exception as error:
            if is_transient(error):
                raise
            # The thread that waits for this job raises it.
            self.error = error


class Commits:
    """Runs pieces of work, each all or nothing, in as few transactions as the writers of this process allow.

    SQLite has one writer at a time: those that wait while one commits are committed together by the next of them.
    Where one of them fails, all are undone and done again, then with a savepoint for each: a piece of work does nothing
    but change the database through its connection. On PostgreSQL, which groups commits itself, each has its own
    transaction. A piece of work must not call `run`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._shared = database.dialect == "sqlite"
        self._line = _Line(f"{database.url.database}.turn")
        self._combiner: CallCombiner[_Job[Any]] = CallCombiner(self._serve, _MOST)

    @property
    def waiting(self) -> int:
        """How many pieces of work wait for a commit that has not begun."""
        return self._combiner.waiting

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Return what `work(connection)` returns, once it is committed; what it raises undoes it alone."""
        if not self._shared:
            with self.database.write() as connection:
                return work(connection)
        job = _Job(work)
        self._combiner.join(job)
        if job.error is not None:
            raise job.error
        return cast("T", job.result)

    def _serve(self, take: Take[_Job[Any]]) -> None:
        with self._line.turn():
            # Whoever came while the other processes had their turn is in it as well.
            self._commit(take())

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        try:
            with self.database.write() as connection:
                for job in jobs:
                    job.run(connection)
        except Unavailable:
            raise
        except Exception:
            if len(jobs) == 1:
                raise
            with self.database.write() as connection:
                for job in jobs:
                    job.run_apart(connection)


class _Line:
    """A line of processes, of which one has its turn: SQLite itself would look again after ever longer pauses."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._pid = 0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait in line with the other processes; of this one, a thread at a time."""
        if self._pid != os.getpid():
            # A lock belongs to what was opened: with its parent's file a process would share its parent's turns.
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, self._descriptor)
            self._pid = os.getpid()
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
