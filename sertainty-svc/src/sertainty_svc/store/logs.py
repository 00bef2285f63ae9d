"""Append to the logs of the agent and of tasks, and read them (10.6).

The text of a record is a JSON object: `text`, and the attributes of its entry that have a value.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final, Literal

import sqlalchemy as sa

from mft_common.clock import iso
from mft_common.joblog import JobLog
from mft_common.storable_text import storable
from sertainty_svc.domain.logs import (
    AGENT_ENTRIES,
    CHARACTERS,
    STARTS_KEPT,
    TASK_ENTRIES,
    TASK_EXECUTIONS,
    AgentLog,
    AgentStart,
    LogEntry,
    LoggedExecution,
    TaskLog,
)
from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.domain.tasks import Action
from sertainty_svc.store.tables import AGENT_LOG, TASK_LOG, agent, agent_start, execution

Level = Literal["Info", "Warning", "Error"]
_START: Final = agent_start.c
_EXECUTION: Final = execution.c
_NAME: Final = sa.select(agent.c.log)


def append_to_agent(
    connection: sa.Connection,
    at: int,
    event: str,
    text: str,
    *,
    level: Level = "Info",
    user: str = "",
    address: str = "",
    config: str = "",
) -> None:
    """Append an entry to the agent's latest log, also while the agent is offline (74); nothing before its first start.

    `event` is a constant name such as `config.activated`. No session id, answer, key or content is ever given (28).
    """
    name = connection.execute(_NAME).scalar_one()
    if name:
        values: dict[str, str | int] = {"event": event, "user": user, "address": address, "config": config}
        AGENT_LOG.append(connection, name, at, level, _record(text, values))


def begin(connection: sa.Connection, at: int, *, host: str, version: str) -> str:
    """Begin the log of a start of the agent and return its name, made of the time; the newest 20 are kept (74)."""
    last = connection.execute(sa.select(sa.func.max(_START.started_at))).scalar()
    # Names differ also where the clock was set back, or two starts have one millisecond.
    at = at if last is None else max(at, last + 1)
    name = f"agent-{iso(at).replace('-', '').replace(':', '')}.log"
    connection.execute(sa.insert(agent_start).values(name=name, started_at=at, host=host, version=version))
    connection.execute(sa.update(agent).values(log=name))
    newest = sa.select(_START.number).order_by(_START.number.desc()).limit(STARTS_KEPT)
    kept = set(connection.execute(newest).scalars())
    old = sa.select(_START.name).where(_START.number < min(kept))
    names = list(connection.execute(old).scalars())
    AGENT_LOG.remove(connection, names)
    connection.execute(sa.delete(agent_start).where(_START.name.in_(names)))
    return name


def latest(connection: sa.Connection) -> AgentLog:
    """Return the log of the agent's latest start, an empty one before the first (74)."""
    name = connection.execute(_NAME).scalar_one()
    return of_start(connection, name) if name else AgentLog(start=AgentStart())


def of_start(connection: sa.Connection, name: str) -> AgentLog:
    """Return the log of a start by its name: its newest 100,000 entries, or 16 Mi characters of them (10.6)."""
    found = sa.select(_START.name, _START.started_at, _START.host, _START.version).where(_START.name == name)
    start = AgentStart(**connection.execute(found).one()._asdict())
    entries, truncated = _entries(connection, AGENT_LOG, name, AGENT_ENTRIES)
    return AgentLog(start=start, entries=entries, truncated=truncated)


def of_task(connection: sa.Connection, task: StoredTask) -> TaskLog:
    """Return the log of a task: its newest 1,000 executions and 20,000 entries, or 16 Mi characters of them (10.6)."""
    # The entries first: their executions had begun before.
    entries, truncated = _entries(connection, TASK_LOG, task.log, TASK_ENTRIES)
    begun = sa.select(execution).where(_EXECUTION.task_id == task.id, _EXECUTION.began_at.is_not(None))
    rows = connection.execute(begun.order_by(_EXECUTION.number.desc()).limit(TASK_EXECUTIONS)).all()
    executions = [_logged(row) for row in reversed(rows)]
    by_number: dict[int, list[LogEntry]] = {one.number: [] for one in executions}
    for entry in entries:
        if entry.number in by_number:
            by_number[entry.number].append(entry)
        else:
            truncated += 1
    return TaskLog(
        configuration=task.configuration,
        task=task.name,
        executions=executions,
        entries=by_number,
        truncated=truncated,
    )


def append_to_task(
    connection: sa.Connection,
    subject: str,
    number: int,
    at: int,
    text: str,
    *,
    level: Level = "Info",
    file: str = "",
    stream: str = "",
) -> None:
    """Append an entry to the log of a task, whose `StoredTask.log` is the subject, for its execution `number`."""
    TASK_LOG.append(connection, subject, at, level, _record(text, {"number": number, "file": file, "stream": stream}))


def append_all_to_task(
    connection: sa.Connection, subject: str, number: int, entries: Iterable[tuple[int, Mapping[str, Any]]]
) -> None:
    """Append entries with their times to the log of a task: `text`, and what they have of `level`, `file` and `stream`.

    Those that follow one another with one time and level are one statement: a script may write many lines.
    """
    for (at, level), some in groupby(entries, lambda one: (one[0], one[1].get("level") or "Info")):
        texts = [
            _record(
                storable(entry["text"]),
                {"number": number, "file": storable(entry.get("file") or ""), "stream": entry.get("stream") or ""},
            )
            for _, entry in some
        ]
        TASK_LOG.append(connection, subject, at, level, *texts)


def _record(text: str, values: Mapping[str, str | int]) -> str:
    return json.dumps({"text": text, **{name: value for name, value in values.items() if value != ""}})


def _entries(connection: sa.Connection, log: JobLog, subject: str, most: int) -> tuple[list[LogEntry], int]:
    """Return the newest entries of a log, the oldest of them first, and how many older ones there were.

    They are `most` at the most, with so many characters that their document is rendered within a call (109).
    """
    last_id = log.last_id(connection, subject)
    kept: deque[LogEntry] = deque()
    sizes: deque[int] = deque()
    count = truncated = size = 0
    for page in () if last_id is None else log.pages(connection, subject, last_id=last_id):
        truncated += sum(dropped for _, _, _, dropped, _ in page)
        records = [(at, level, text) for at, level, text, dropped, _ in page if not dropped]
        # All texts at once: that takes a third of the time.
        texts = json.loads(f"[{','.join([text for _, _, text in records])}]")
        count += len(records)
        kept.extend(
            LogEntry(at, level, values.pop("text"), values, values.pop("number", 0))
            for (at, level, _), values in zip(records, texts, strict=True)
        )
        lengths = [len(text) for _, _, text in records]
        sizes.extend(lengths)
        size += sum(lengths)
        while len(kept) > most or size > CHARACTERS:
            kept.popleft()
            size -= sizes.popleft()
    return list(kept), truncated + count - len(kept)


def _logged(row: Any) -> LoggedExecution:
    over = row.status == "over"
    moves = Action(json.loads(row.definition)["action"]).moves_files
    return LoggedExecution(
        number=row.number,
        status="Executing" if not over else "Error" if row.error else "Success",
        began_at=row.began_at,
        ended_at=row.ended_at,
        files=row.files,
        errors=row.errors,
        transfer=row.transfer_id if moves and row.files else "",
    )
