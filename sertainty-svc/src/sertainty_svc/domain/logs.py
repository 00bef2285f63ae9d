"""The logs of the agent and of tasks, as they are shown (10.6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# How many are kept; the oldest are dropped (74, 10.6).
STARTS_KEPT: Final = 20
AGENT_ENTRIES: Final = 100_000
TASK_EXECUTIONS: Final = 1_000
TASK_ENTRIES: Final = 20_000
# How much of them is shown: lines of scripts have 8 KiB, of which a character may take five bytes in a document.
CHARACTERS: Final = 16 << 20


@dataclass(frozen=True, kw_only=True)
class AgentStart:
    """A start of the agent, whose log has its `name`: when (ms), on which host, and the version of the program."""

    name: str = ""
    started_at: int | None = None
    host: str = ""
    version: str = ""


class LogEntry(NamedTuple):
    """An entry; `attributes` are its own by their names, and `number` is that of the execution in a task's log.

    A plain tuple: a log has up to 100,000 of them.
    """

    at: int
    level: str
    text: str
    attributes: Mapping[str, str]
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class LoggedExecution:
    """An execution in the log of its task; `transfer` is "" where it is no transfer (94)."""

    number: int
    status: str
    began_at: int | None
    ended_at: int | None
    files: int
    errors: int
    transfer: str


@dataclass(frozen=True, kw_only=True)
class AgentLog:
    """The log of a start; `truncated` counts the older entries that were dropped."""

    start: AgentStart
    entries: Sequence[LogEntry] = ()
    truncated: int = 0


@dataclass(frozen=True, kw_only=True)
class TaskLog:
    """The log of a task: its executions, and their entries by the numbers of the executions."""

    configuration: str
    task: str
    executions: Sequence[LoggedExecution] = ()
    entries: Mapping[int, Sequence[LogEntry]] = field(default_factory=dict)
    truncated: int = 0
