"""Show the tasks of a hub and their logs, and pause and resume them, in the database of sertainty-svc."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from crossdock import protector
from crossdock.errors import Refused
from crossdock.jobs.printing import moment, table
from crossdock.protector import Protector
from mft_common.clock import now_ms
from mft_common.endpoints.names import printable
from sertainty_svc.domain.agent import Agent
from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.operations.calls import Operation
from sertainty_svc.operations.tasks import ALL, Tasks
from sertainty_svc.store import agent as agents
from sertainty_svc.store import configurations
from sertainty_svc.store import tasks as store
from sertainty_svc.store.tables import TASK_LOG

_HEAD: Final = ("CONFIGURATION", "TASK", "TYPE", "ACTION", "STATUS", "RUNS", "ERRORS", "ENDED", "ERROR")


@dataclass(frozen=True)
class Shown:
    """A task, and its status by the agent and the active configuration (79)."""

    task: StoredTask
    status: str


@dataclass(frozen=True)
class Entry:
    """An entry of a task's log, of the execution `number`; `dropped` counts older ones that it stands for, else 0."""

    at: int
    level: str
    text: str
    number: int | None = None
    file: str = ""
    stream: str = ""
    dropped: int = 0


@contextmanager
def opened(data: Path, environ: Mapping[str, str]) -> Iterator["Access"]:
    """Open the database of the hub on a data folder, or the one that the environment names; CannotStart."""
    with protector.opened(data, environ) as hub:
        yield Access(hub)


@dataclass(frozen=True)
class Access:
    """The tasks of one hub; Refused says why something cannot be done."""

    hub: Protector

    def list_tasks(self, configuration: str | None) -> list[Shown]:
        """Return the tasks of one configuration, or of all by their names, each in the order of its document."""
        with self.hub.database.read() as connection:
            agent = agents.find(connection)
            names = sorted(configurations.names(connection)) if configuration is None else [configuration]
            return [
                _shown(one, agent)
                for name in names
                for one in store.of_configuration(connection, _configuration(connection, name))
            ]

    def find(self, configuration: str, name: str) -> Shown:
        """Return one task."""
        with self.hub.database.read() as connection:
            return _shown(_task(connection, configuration, name), agents.find(connection))

    def log(self, configuration: str, name: str) -> Iterator[Entry]:
        """Yield the entries of a task's log, the oldest first."""
        with self.hub.database.read() as connection:
            subject = _task(connection, configuration, name).log
        for at, level, text, dropped, _ in TASK_LOG.each(self.hub.database, subject):
            values = {"text": ""} if dropped else json.loads(text)
            yield Entry(at=at, level=level, dropped=dropped, **values)

    def pause(self, configuration: str, name: str) -> None:
        """Let no execution of a task begin, or with `*` of any task; one under way ends after its file."""
        self._change(Tasks(self.hub.context).task_pause, configuration, name)

    def resume(self, configuration: str, name: str) -> None:
        """End the pause of a task, or with `*` of every task."""
        self._change(Tasks(self.hub.context).task_resume, configuration, name)

    def _change(self, function: Operation, configuration: str, name: str) -> None:
        with self.hub.database.read() as connection:
            # The vendor's functions say of nothing that is missing which it was.
            if name == ALL:
                _configuration(connection, configuration)
            else:
                _task(connection, configuration, name)
        protector.call(function, config_name=configuration, task_name=name)


def _configuration(connection: sa.Connection, name: str) -> int:
    found = configurations.find(connection, name)
    if found is None:
        raise Refused(f"there is no configuration {name}")
    return found


def _task(connection: sa.Connection, configuration: str, name: str) -> StoredTask:
    found = store.find(connection, _configuration(connection, configuration), name)
    if found is None:
        raise Refused(f"the configuration {configuration} has no task {name}")
    return found


def _shown(task: StoredTask, agent: Agent) -> Shown:
    return Shown(task, task.status(agent.status(now_ms()), active=agent.active == task.configuration_id))


def as_table(found: Sequence[Shown]) -> str:
    """Return the table of `task list`."""
    return table(
        _HEAD,
        (
            (
                one.task.configuration, one.task.name, one.task.definition.type, one.task.definition.action, one.status,
                str(one.task.exec_count), str(one.task.error_count), moment(one.task.ended_at), one.task.error or "-",
            )
            for one in found
        ),
    )  # fmt: skip


def as_json(one: Shown) -> dict[str, Any]:
    """Return the object of a task: times in milliseconds, and its definition as it is stored."""
    task = one.task
    return {
        "configuration": task.configuration,
        "name": task.name,
        "status": one.status,
        "paused": task.paused,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "last_error_at": task.last_error_at,
        "error": task.error,
        "executions": task.exec_count,
        "errors": task.error_count,
        "retry_at": task.retry_at,
        "definition": task.definition.to_json(),
    }


def as_text(one: Shown) -> str:
    """Return the lines of `task show`; no text can break a line."""
    found = as_json(one)
    definition = found.pop("definition")
    rows = {
        **{name: moment(value) if name.endswith("_at") else _text(value) for name, value in found.items()},
        **{name: _text(value) for name, value in definition.items() if name != "name"},
    }
    width = max(map(len, rows))
    return "\n".join(f"{name.ljust(width)}  {printable(text)}" for name, text in rows.items())


def _text(value: object) -> str:
    """Return a value of a task for people: texts as they are, and JSON for what has parts."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case _:
            return json.dumps(value)


def entry_text(one: Entry) -> str:
    """Return the line of an entry, in UTC."""
    text = one.text.removeprefix(f"{one.file}: ") if one.file else one.text
    if one.dropped:
        text = f"{one.dropped} older entries were deleted"
    place = [f"#{one.number}" if one.number is not None else "", one.file, f"[{one.stream}]" if one.stream else ""]
    return printable(" ".join([moment(one.at), one.level, *filter(None, place), text]))
