"""Write what happens to an execution, as long as it is this worker's."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from mft_common import logs
from mft_common.backoff import pause_after
from mft_common.database import Database
from mft_common.database.leases import Lease, LeaseLost
from sertainty_svc.domain.executions import Execution, ExecutionFile
from sertainty_svc.domain.stored_tasks import may_run
from sertainty_svc.operations.executing import delivered
from sertainty_svc.operations.executing.ending import End, Ending
from sertainty_svc.operations.executing.entries import PendingEntries
from sertainty_svc.operations.executing.files import KnownFiles
from sertainty_svc.operations.watched_folders import WatchedFolders
from sertainty_svc.store import agent as agents
from sertainty_svc.store import executions, tasks
from sertainty_svc.store.tables import OUTBOX, WORKERS

# The child of an execution may be cut off this often without a file that was brought to its end meanwhile.
_MOST_CRASHES: Final = 10
_AT_ONCE: Final = 3
_FIRST_PAUSE_MS: Final = 250
_LONGEST_PAUSE_MS: Final = 5_000
R = TypeVar("R")


@dataclass(frozen=True)
class Parts:
    """The database, what ends executions, and the folders that tasks watch."""

    database: Database
    ending: Ending
    watched: WatchedFolders = field(default_factory=WatchedFolders)


class OwnedExecution:
    """An execution that this worker has, and its files; every write raises LeaseLost where another has it by now.

    Its event of progress is sent at most once a second. What came too soon after one is told by `tell`, which any
    thread may call.
    """

    def __init__(self, parts: Parts, execution: Execution) -> None:
        self.execution = execution
        self._database = parts.database
        self._ending = parts.ending
        self._watched = parts.watched
        self._now = parts.ending.now
        self._files = KnownFiles(parts.database, execution.id, self._now)
        self._entries = PendingEntries(execution, self._now)
        # Files that other tasks may find, which have not been noted yet.
        self._delivered: list[ExecutionFile] = []
        self._lock = threading.RLock()

    def require(self, lease: Lease) -> None:
        """Raise LeaseLost unless the execution is this worker's, whose lease lasts."""
        with self._database.write() as connection:
            self._require(connection, lease)

    def may_go_on(self, lease: Lease) -> bool:
        """Return whether the next file or script may begin (71, 73, 82); LeaseLost.

        A file whose output may be durable already comes to its end in any case.
        """
        with self._lock:
            counts = self._files.load()
            with self._database.read() as connection:
                # A commit is refused in any case once the execution is another worker's.
                if not (executions.is_held(connection, self.execution) and WORKERS.is_alive(connection, lease)):
                    raise LeaseLost(f"{self.execution.id}: the execution is another worker's, or over")
                if self._stop_text(connection):
                    return False
                if counts.under_way:
                    return True
                agent, task = agents.find(connection), tasks.by_id(connection, self.execution.task_id)
                wished = agent.status(agent.beat_at)
                return task is not None and may_run(task, wished, active=agent.active == task.configuration_id)

    def page(self, after: int) -> list[dict[str, Any]]:
        """Return some of the files behind a position that are not over, as plain data."""
        with self._lock:
            if not self._files.are_stored:
                self._write()
            return self._files.page(after)

    def found(self, given: Mapping[str, Any]) -> None:
        """Store files that a Time task has found, and whether these are all; the first ones begin its transfer."""
        files = [ExecutionFile.from_json(one) for one in given["files"]]
        with self._lock:
            self._files.put(*files)
            first = bool(files) and files[0].position == 0
            with self._held() as connection:
                if given["all"]:
                    executions.update(connection, self.execution.id, has_files=True)
                if first and self.execution.moves(len(files)):
                    OUTBOX.add(connection, self._ending.report.started(self.execution, self._files.load(), files))
            if first:
                self._files.told()

    def changed(self, given: Mapping[str, Any]) -> None:
        """Store a file as it is now."""
        file = ExecutionFile.from_json(given)
        with self._lock:
            self._files.put(file)
            if file.state == "delivered":
                self._delivered.append(file)
            if file.over and self.execution.crashes:
                self.execution = replace(self.execution, crashes=0)
            self._write()

    def progress(self, position: int, bytes_done: int) -> None:
        """Note how far a file is; it is stored and told with the next event."""
        with self._lock:
            self._files.put(self._files[position].changed(bytes_done=bytes_done))
            if self._files.event_is_due:
                self._write()

    def tell(self) -> None:
        """Store and tell what no event has told yet, where one is due: the child may have nothing to report for long.

        An execution that is not this worker's any more is left alone.
        """
        with self._lock:
            if self._entries or (self._files.event_is_due and self._files.untold()):
                try:
                    self._write()
                except LeaseLost:
                    self._files.told()
                    self._entries.stored()
                    self._delivered.clear()

    def may_commit(self, lease: Lease, given: Mapping[str, Any]) -> bool:
        """Store what proves the commit of a file, and return whether it may become visible (88); LeaseLost.

        It may not where the execution is to end at once.
        """
        with self._lock:
            self._files.put(ExecutionFile.from_json(given))
            with self._held() as connection:
                self._require(connection, lease)
                return not self._stop_text(connection)

    def log(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Note entries for the log of the task; the next write stores them, that of `tell` at the latest."""
        with self._lock:
            if self._entries.are_many:
                # Before these are taken: while the database is away, this is called with them again.
                self._write()
            self._entries.add(entries)

    def ran(self, runs: int, *, done: bool) -> None:
        """Store how often the script of a Time task has run, and whether it has succeeded."""
        with self._held() as connection:
            executions.update(connection, self.execution.id, runs=runs, ran=done)

    def read(self, work: Callable[[sa.Connection], R]) -> R:
        """Return what a function of a connection reads."""
        with self._database.read() as connection:
            return work(connection)

    def stop_text(self) -> str:
        """Return the text of the end that somebody has asked for, "" where nobody has."""
        with self._database.read() as connection:
            return self._stop_text(connection)

    def end(self, end: End) -> None:
        """End the execution."""
        with self._lock, self._database.write() as connection:
            tasks.lock(connection, self.execution.task_id)
            self._store(connection)
            self._ending.end(connection, self.execution, end)

    def is_under_way(self) -> bool:
        """Return whether the output of a file may be durable already that is not recorded, or not handled (88)."""
        with self._lock:
            return self._files.load().under_way > 0

    def go_on_later(self, reason: str) -> None:
        """Let the execution go on in another child, under the same id (88), whose child has died or cannot go on now.

        One that comes to this too often without a file that is over meanwhile is given up.
        """
        crashes = self.execution.crashes + 1
        if crashes > _MOST_CRASHES:
            self.end(End(error=reason, fault=True, left=True))
            return
        pause = 0 if crashes <= _AT_ONCE else pause_after(crashes - _AT_ONCE, _FIRST_PAUSE_MS, _LONGEST_PAUSE_MS)
        self._wait(pause, crashes=crashes)
        logs.get("executing").warning("execution.cut_off", execution=self.execution.id, reason=reason, times=crashes)

    def hand_back(self, pause_ms: int = 0) -> None:
        """Let another worker go on with the execution: this one stops, or has no process for it."""
        self._wait(pause_ms, crashes=self.execution.crashes)

    def _wait(self, pause_ms: int, *, crashes: int) -> None:
        # Without a pause not the time: a clock that is set back would let it wait.
        due_at = self._now() + pause_ms if pause_ms else 0
        with self._held() as connection:
            executions.update(
                connection, self.execution.id, status="queued", owner="", due_at=due_at, crashes=crashes
            )  # fmt: skip

    def _require(self, connection: sa.Connection, lease: Lease) -> None:
        executions.hold(connection, self.execution)
        if not WORKERS.is_alive(connection, lease):
            raise LeaseLost(f"{self.execution.id}: the lease of its worker has lapsed")

    def _stop_text(self, connection: sa.Connection) -> str:
        agent = agents.find(connection)
        asked = replace(self.execution, stop=executions.stop_of(connection, self.execution.id))
        return asked.stop_text(agent.epoch, agent.reason)

    def _write(self) -> None:
        """Store the files that changed, with an event of progress where one is due."""
        with self._lock:
            counts, untold = self._files.load(), self._files.untold()
            tells = self._files.event_is_due and bool(untold)
            with self._held() as connection:
                if tells and self.execution.moves(counts.files):
                    OUTBOX.add(connection, *self._ending.report.progressed(self.execution, counts, untold))
            if tells:
                self._files.told()

    def _store(self, connection: sa.Connection) -> None:
        one = self.execution
        executions.hold(connection, one)
        self._files.store(connection)
        if self._delivered:
            delivered.note(connection, self._watched, one, self._delivered, self._now())
        self._entries.store(connection)

    @contextmanager
    def _held(self) -> Iterator[sa.Connection]:
        """Give a transaction that holds the execution, in which the files that changed are stored; LeaseLost."""
        with self._lock:
            with self._database.write() as connection:
                self._store(connection)
                yield connection
            # Not before the commit: a database that is away is written to again.
            self._files.stored()
            self._entries.stored()
            self._delivered.clear()
