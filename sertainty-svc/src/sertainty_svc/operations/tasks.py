"""The functions of tasks: their documents, their states, pause and reset (45, 49, 61 to 64)."""

from collections.abc import Callable, Sequence
from typing import Final

import sqlalchemy as sa

from mft_common.clock import iso
from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.errors import NotFound
from sertainty_svc.operations import agenda, task_changes
from sertainty_svc.operations.calls import Call, Family, succeeded, succeeded_with
from sertainty_svc.operations.context import Context
from sertainty_svc.schemas.tasks import read_tasks
from sertainty_svc.store import agent as agents
from sertainty_svc.store import configurations, saved_tasks, tasks
from sertainty_svc.wire import MESSAGES, SUCCESS, Reply, Result

# Every task of a configuration (62 to 64).
ALL: Final = "*"
# The end of an execution whose task is no longer in the document.
REMOVED: Final = "ended by removal of the task"
_RESET: Final = "reset"


class Tasks:
    """The functions of tasks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return {
            "configGetTasks": self.config_get_tasks,
            "configSaveTasks": self.config_save_tasks,
            "taskGetStatus": self.task_get_status,
            "taskPause": self.task_pause,
            "taskReset": self.task_reset,
            "taskResume": self.task_resume,
        }

    def config_get_tasks(self, call: Call) -> Reply:
        """Return the document of a configuration's tasks as it was saved (45)."""
        name = call.text("config-name")
        document = self._database.query(lambda connection: configurations.contents(connection, name))
        if document is None:
            raise NotFound
        return succeeded_with(document)

    def config_save_tasks(self, call: Call) -> Reply:
        """Replace all tasks of a configuration, or none of them where the document is not valid (49, 76)."""
        document = call.text("tasks-contents").encode()
        roots = self._context.roots()
        definitions = read_tasks(document, roots)
        now = self._context.now()
        with self._database.write() as connection:
            id_ = _locked(connection, call)
            former = tasks.of_configuration(connection, id_)
            names = {one.name for one in definitions}
            gone = [one for one in former if one.name not in names]
            task_changes.add_events(connection, gone, "removed", now=now)
            saved_tasks.delete(connection, gone, REMOVED)
            changed = saved_tasks.replace(connection, id_, former, definitions)
            configurations.save(connection, id_, document, call.account, now)
            stored = tasks.of_configuration(connection, id_) if changed else ()
            task_changes.add_events(connection, [one for one in stored if one.name in changed], "saved", now=now)
            count = f"{len(definitions)} task{'' if len(definitions) == 1 else 's'}"
            self._log(connection, call, "tasks.saved", f"The configuration has {count} now.")
            agenda.sync(connection, now)
        return succeeded()

    def task_get_status(self, call: Call) -> Reply:
        """Return times, status, last error and counters of a task, each with its name (61, 79 to 81)."""
        with self._database.read() as connection:
            task = tasks.by_names(connection, call.text("config-name"), call.text("task-name"))
            agent = agents.find(connection)
        if task is None:
            raise NotFound
        values = {
            "StartTime": _time(task.started_at),
            "EndTime": _time(task.ended_at),
            "LastErrorTime": _time(task.last_error_at),
            "Status": task.status(agent.status(self._context.now()), active=agent.active == task.configuration_id),
            "Error": task.error,
            "ExecCnt": str(task.exec_count),
            "ErrorCnt": str(task.error_count),
        }
        return Reply(SUCCESS, MESSAGES[SUCCESS], [Result(value.encode(), name) for name, value in values.items()])

    def task_pause(self, call: Call) -> Reply:
        """Let no new execution of a task, or of every task, begin; one under way ends after its file (62, 82)."""
        return self._change(call, "paused", lambda task: not task.paused, _pause)

    def task_resume(self, call: Call) -> Reply:
        """End the pause of a task, or of every task (64, 82)."""
        return self._change(call, "resumed", lambda task: task.paused, _resume)

    def task_reset(self, call: Call) -> Reply:
        """Clear the statistics and the log of a task, or of every task, and forget its failed files (63, 83)."""
        return self._change(call, _RESET, lambda _: True, saved_tasks.reset)

    def _change(
        self,
        call: Call,
        change: str,
        concerns: Callable[[StoredTask], bool],
        apply: Callable[[sa.Connection, Sequence[StoredTask]], None],
    ) -> Reply:
        """Apply a change to those of the named tasks that it concerns; none is a success too."""
        now, name = self._context.now(), call.text("task-name")
        with self._database.write() as connection:
            id_ = _locked(connection, call)
            chosen = [one for one in _named(connection, id_, name) if concerns(one)]
            if chosen:
                apply(connection, chosen)
                ids = {one.id for one in chosen}
                after = [one for one in _named(connection, id_, name) if one.id in ids]
                task_changes.add_events(connection, after, change, now=now)
                which = "Every task was" if name == ALL else f"The task {name} was"
                self._log(connection, call, f"task.{change}", f"{which} {change}.")
                agenda.sync(connection, now, reset=chosen if change == _RESET else ())
        return succeeded()

    def _log(self, connection: sa.Connection, call: Call, event: str, text: str) -> None:
        self._context.log(connection, call, event, text, config=call.text("config-name"))


def _locked(connection: sa.Connection, call: Call) -> int:
    """Return the id of the named configuration, which nobody else changes meanwhile; NotFound where there is none."""
    configurations.lock(connection)
    id_ = configurations.find(connection, call.text("config-name"))
    if id_ is None:
        raise NotFound
    return id_


def _named(connection: sa.Connection, configuration_id: int, name: str) -> list[StoredTask]:
    """Return the task of that name, or every task; NotFound where there is none of that name."""
    if name == ALL:
        return tasks.of_configuration(connection, configuration_id)
    found = tasks.find(connection, configuration_id, name)
    if found is None:
        raise NotFound
    return [found]


def _pause(connection: sa.Connection, chosen: Sequence[StoredTask]) -> None:
    saved_tasks.set_paused(connection, [one.id for one in chosen], paused=True)


def _resume(connection: sa.Connection, chosen: Sequence[StoredTask]) -> None:
    saved_tasks.set_paused(connection, [one.id for one in chosen], paused=False)


def _time(at: int | None) -> str:
    return "" if at is None else iso(at)
