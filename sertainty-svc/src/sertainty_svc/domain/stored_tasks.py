"""A task with its statistics, and its status (79, 81)."""

from dataclasses import dataclass
from typing import Final

from sertainty_svc.domain.agent import AgentStatus
from sertainty_svc.domain.tasks import TaskDefinition

# The longest wait of a Change task after a fault of its own (86).
LONGEST_PAUSE_MS: Final = 300_000
# By this much the clocks of two workers may differ: one stores the end of the wait, and another one looks at it.
_CLOCKS_DIFFER_MS: Final = 60_000


@dataclass(frozen=True, kw_only=True)
class StoredTask:
    """A task of a configuration; times in milliseconds, None for never.

    `exec_count` and `error_count` count executions that ended; `executions` those that were queued. `failed` says
    whether the latest execution ended in error and no reset followed. `running` says whether one runs now. `retry_at`
    is when a Change task may try again after `faults` executions in a row that ended by the task's own fault (86).
    """

    id: int
    configuration_id: int
    configuration: str
    account: str
    name: str
    position: int
    definition: TaskDefinition
    paused: bool = False
    running: bool = False
    exec_count: int = 0
    error_count: int = 0
    executions: int = 0
    faults: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    last_error_at: int | None = None
    retry_at: int | None = None
    error: str = ""
    failed: bool = False

    @property
    def log(self) -> str:
        """The subject of its log."""
        return f"task/{self.id}"

    @property
    def watch(self) -> str:
        """The key of its watch."""
        return f"task/{self.id}"

    @property
    def timer(self) -> str:
        """The key of its timer."""
        return f"task/{self.id}"

    def pause_ms(self, now: int) -> int:
        """Return how long it still waits after a fault of its own, in milliseconds (86)."""
        left = 0 if self.retry_at is None else self.retry_at - now
        # A time that is still later was written before the clock was set back.
        return min(left, LONGEST_PAUSE_MS) if 0 < left <= LONGEST_PAUSE_MS + _CLOCKS_DIFFER_MS else 0

    def status(self, agent: AgentStatus, *, active: bool) -> str:
        """Return its status; `active` when its configuration is the active one (79)."""
        if self.running:
            return "Executing"
        if self.paused:
            return "Paused"
        if not self.definition.enabled or not active or agent is not AgentStatus.ACTIVE:
            return "Idle"
        return "Error" if self.failed else "Waiting"


def may_run(task: StoredTask, agent: AgentStatus, *, active: bool) -> bool:
    """Return whether new executions of a task may begin (70, 71, 75, 82)."""
    return active and agent is AgentStatus.ACTIVE and task.definition.enabled and not task.paused
