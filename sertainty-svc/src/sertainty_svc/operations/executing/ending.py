"""End executions: their statistics, logs and events, and the files that a later execution takes (73, 80, 86, 111)."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.backoff import pause_after
from mft_common.clock import Clock
from mft_common.database.after_commit import on_commit
from mft_common.process import work_metrics
from mft_common.storable_text import storable
from mft_common.watching.memory import digest
from sertainty_svc import SERVICE
from sertainty_svc.domain.executions import Execution, ExecutionFile, FileCounts
from sertainty_svc.domain.stored_tasks import LONGEST_PAUSE_MS, StoredTask
from sertainty_svc.domain.tasks import TaskType
from sertainty_svc.operations import agenda
from sertainty_svc.operations.executing.events import TransferReport
from sertainty_svc.operations.task_changes import add_event
from sertainty_svc.store import agent as agents
from sertainty_svc.store import execution_files, executions, failed_files, tasks, unproved_commits
from sertainty_svc.store import logs as task_logs
from sertainty_svc.store.tables import OUTBOX, TASK_LOG, task

_FIRST_PAUSE_MS: Final = 5_000
_SOURCE_LEFT: Final = "The output is complete; the source was left."


@dataclass(frozen=True, kw_only=True)
class End:
    """How an execution ends: `error` is "" for a success so far, failed files make it one in error all the same.

    With `fault` the error is the task's own, and its files are tried again (86). With `left` unfinished files may be at
    the destination, which a sweep removes.
    """

    error: str = ""
    fault: bool = False
    left: bool = False


@dataclass
class _Paths:
    """The paths of files that a watch has handed over, by how they ended; `left` where a file may have left something.

    An attempt that failed before it came to the file that an earlier one was at does not know what that one has left.
    `unproved` are files whose output may be there, and `proved` are those of `known` that are over by now.
    """

    known: Collection[bytes] = ()
    unhandled: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    successful: list[str] = field(default_factory=list)
    unproved: list[ExecutionFile] = field(default_factory=list)
    proved: list[bytes] = field(default_factory=list)
    left: bool = False

    def add(self, file: ExecutionFile) -> None:
        if file.under_way:
            self.unproved.append(file)
        elif self.known and file.state in ("successful", "failed") and (name := digest(file.path)) in self.known:
            self.proved.append(name)
        if not file.identity:
            return
        same = {"successful": self.successful, "failed": self.failed}
        same.get(file.state, self.unhandled).append(file.path)


@dataclass(frozen=True)
class Ending:
    """Ends executions in the caller's transaction, which has locked the row of the task, if any, before all others."""

    report: TransferReport
    now: Clock

    def begin(self, connection: sa.Connection, one: Execution) -> None:
        """Record that an execution begins, which has just been taken for the first time."""
        now = self.now()
        tasks.update(connection, one.task_id, started_at=now)
        counts, files = FileCounts(), []
        for file in execution_files.each(connection, one.id):
            counts.add(file)
            files.append(file)
        if one.moves(counts.files):
            OUTBOX.add(connection, self.report.started(one, counts, files))
        found = tasks.by_id(connection, one.task_id)
        text = f"Execution {one.number} of the task {one.task} has started."
        task_logs.append_to_agent(connection, now, "execution.started", text, config=one.configuration)
        if found is not None:
            transfer = one.transfer_id if one.definition.action.moves_files else None
            add_event(connection, found, "started", now=now, transfer_id=transfer, caused_by=one.caused_by)

    def end(self, connection: sa.Connection, one: Execution, end: End) -> str:
        """End an execution, whose rows the caller holds; return the text of its error, "" for a success."""
        now = self.now()
        counts, paths = self._read_files(connection, one)
        error = storable(end.error or failures_of(counts))
        if one.moves(counts.files):
            files = execution_files.each(connection, one.id)
            for event in self.report.ending(one, counts, files, error=error, at=now):
                OUTBOX.add(connection, event)
        executions.end(
            connection, one, now, files=counts.files, errors=counts.failures, error=error, left=end.left or paths.left
        )  # fmt: skip
        found = tasks.by_id(connection, one.task_id)
        if found is None:
            # Its log was deleted with it; this execution may have written since.
            TASK_LOG.remove(connection, [one.log])
        else:
            nothing_done = counts.later > 0 and not counts.successes and not counts.failures
            self._count(connection, found, one, error=error, waits=end.fault or nothing_done, now=now)
            _note_files(connection, found, one, paths)
            if not end.fault:
                # Files that came meanwhile wait for this end; after a fault they wait longer.
                agenda.wake(connection, one.definition)
        self._write_logs(connection, one, error, now, has_task=found is not None)
        return error

    def withdraw(self, connection: sa.Connection, one: Execution) -> None:
        """Remove an execution that has not begun and may not: a later scan finds its files."""
        paths = [file.path for file in execution_files.each(connection, one.id) if file.identity]
        failed_files.hand_back(connection, one.watch, paths)
        executions.withdraw(connection, one)

    def fail(self, connection: sa.Connection, of: StoredTask, error: str, transfer_id: str) -> None:
        """Record an execution that ends at once by its task's fault: a scan that could not be made (80)."""
        tasks.lock(connection, of.id)
        queued = executions.queue(connection, of, transfer_id=transfer_id, now=self.now())
        taken = executions.take(connection, queued.id, "", agents.find(connection).epoch, self.now())
        assert taken is not None
        self.begin(connection, taken)
        self.end(connection, taken, End(error=error, fault=True))

    def _read_files(self, connection: sa.Connection, one: Execution) -> tuple[FileCounts, _Paths]:
        """Count the files as they end; one whose output is durable is successful, whatever became of its source."""
        counts, paths = FileCounts(), _Paths(unproved_commits.names(connection, one.task_id))
        for file in execution_files.each(connection, one.id):
            paths.left = paths.left or file.unfinished
            ended = file
            if file.state == "delivered":
                ended = file.changed(state="successful", description=file.description or _SOURCE_LEFT)
                execution_files.put(connection, one.id, [ended])
            counts.add(ended)
            paths.add(ended)
        return counts, paths

    def _count(
        self, connection: sa.Connection, found: StoredTask, one: Execution, *, error: str, waits: bool, now: int
    ) -> None:
        values: dict[str, Any] = {
            "exec_count": task.c.exec_count + 1,
            "error_count": task.c.error_count + int(bool(error)),
            "started_at": one.began_at,
            "ended_at": now,
            "failed": bool(error),
            **_back_off(found, waits=waits, now=now),
        }
        if error:
            values |= {"error": error, "last_error_at": now}
        tasks.update(connection, found.id, **values)
        changed = tasks.by_id(connection, found.id)
        assert changed is not None
        transfer = one.transfer_id if one.definition.action.moves_files else None
        add_event(connection, changed, "ended", now=now, transfer_id=transfer, caused_by=one.caused_by)

    def _write_logs(self, connection: sa.Connection, one: Execution, error: str, now: int, *, has_task: bool) -> None:
        if error and has_task:
            task_logs.append_to_task(connection, one.log, one.number, now, error, level="Error")
        text = f"Execution {one.number} of the task {one.task} has ended" + (f": {error}" if error else ".")
        level: task_logs.Level = "Error" if error else "Info"
        task_logs.append_to_agent(connection, now, "execution.ended", text, level=level, config=one.configuration)
        log = logs.get("executing")
        write = log.warning if error else log.info
        write("execution.ended", execution=one.id, configuration=one.configuration, task=one.task, error=error)
        state = "failed" if error else "successful"
        on_commit(connection, lambda: work_metrics.ended(SERVICE, "execution", state, one.began_at, now))


def failures_of(counts: FileCounts) -> str:
    """Return the error of an execution by its failed files, "" where none has failed."""
    if not counts.failures:
        return ""
    return f"{counts.failures} of {counts.files} files failed: {counts.first_failure}".rstrip(": ")


def _back_off(found: StoredTask, *, waits: bool, now: int) -> dict[str, int | None]:
    """Return when a Change task may try again after its own fault: after 5 s, doubling to 5 minutes (86).

    The same holds where every file was left for later, as by an ID whose window is closed.
    """
    if not waits or found.definition.type is not TaskType.CHANGE:
        return {"faults": 0, "retry_at": None}
    faults = found.faults + 1
    return {"faults": faults, "retry_at": now + pause_after(faults, _FIRST_PAUSE_MS, LONGEST_PAUSE_MS)}


def _note_files(connection: sa.Connection, found: StoredTask, one: Execution, paths: _Paths) -> None:
    """Remember what failed and what may be there, and let the watch take again what was not handled."""
    unproved_commits.keep(connection, found.id, one.definition.folders.destination, paths.unproved)
    unproved_commits.remove(connection, found.id, paths.proved)
    failed_files.add(connection, found.id, paths.failed)
    failed_files.remove(connection, found.id, paths.successful)
    failed_files.hand_back(connection, found.watch, paths.unhandled)
