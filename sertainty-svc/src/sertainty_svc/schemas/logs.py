"""Render the logs of the agent and of tasks as XML that is always well-formed (10.6)."""

from collections.abc import Iterable, Iterator

from mft_common import xml
from mft_common.clock import iso
from sertainty_svc.domain.agent import APPLICATION
from sertainty_svc.domain.logs import AgentLog, LogEntry, LoggedExecution, TaskLog


def agent_log(log: AgentLog) -> bytes:
    """Return the document of a start's log."""
    start = log.start
    attributes = {
        "name": start.name,
        "host": start.host,
        "application": APPLICATION,
        "version": start.version,
        "started": _time(start.started_at),
    }
    entries = map(_entry, log.entries)
    return _document([xml.start("AgentLog", attributes.items()), *_truncated(log.truncated), *entries, "</AgentLog>"])


def task_log(log: TaskLog) -> bytes:
    """Return the document of a task's log; one of a task that never ran has no executions."""
    parts = [xml.start("TaskLog", (("config", log.configuration), ("task", log.task))), *_truncated(log.truncated)]
    for execution in log.executions:
        parts.extend(_execution(execution, log.entries.get(execution.number, ())))
    return _document([*parts, "</TaskLog>"])


def _document(parts: Iterable[str]) -> bytes:
    return xml.DECLARATION + "\n".join(parts).encode()


def _truncated(count: int) -> list[str]:
    return [xml.leaf("Truncated", "", (("count", str(count)),))] if count else []


def _entry(entry: LogEntry) -> str:
    return xml.leaf("Entry", entry.text, (("time", iso(entry.at)), ("level", entry.level), *entry.attributes.items()))


def _execution(execution: LoggedExecution, entries: Iterable[LogEntry]) -> Iterator[str]:
    attributes = {
        "number": str(execution.number),
        "start": _time(execution.began_at),
        "end": _time(execution.ended_at),
        "status": execution.status,
        "files": str(execution.files),
        "errors": str(execution.errors),
        "transfer": execution.transfer,
    }
    yield xml.start("Execution", ((name, value) for name, value in attributes.items() if value))
    yield from map(_entry, entries)
    yield "</Execution>"


def _time(at: int | None) -> str:
    return "" if at is None else iso(at)
