"""The states of the agent and of configurations (section 5)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# The agent is offline when its worker's last heartbeat is older than this (section 3).
BEAT_LIFE_MS: Final = 10_000
APPLICATION: Final = "Crossdock"


class AgentStatus(StrEnum):
    """The three states of the agent (68)."""

    ACTIVE = "Active"
    DISABLED = "Disabled"
    OFFLINE = "Offline"


@dataclass(frozen=True, kw_only=True)
class Agent:
    """The stored state of the agent: the wished state, and the time of its worker's last heartbeat (ms).

    `wish` counts the wishes to start, to stop and to start anew; `taken_up` is the last one that a worker has carried
    out, and `started` says whether the agent was started then. `user` and `address` are those of the last wish. `beats`
    counts heartbeats: a worker that saw them counted continues the agent, another one starts it. `epoch` grows with
    each shutdown and restart: executions of an older one end with the text `ended by REASON`. `active` is the id of the
    active configuration. `log` is the name of the latest log, "" before the first start.
    """

    running: bool
    enabled: bool
    beat_at: int
    wish: int = 0
    taken_up: int = 0
    epoch: int = 0
    reason: str = ""
    active: int | None = None
    log: str = ""
    started: bool = True
    beats: int = 0
    user: str = ""
    address: str = ""

    @property
    def pending(self) -> bool:
        """Whether no worker has carried out the last wish yet."""
        return self.wish != self.taken_up

    def has_worker(self, now: int) -> bool:
        """Return whether a worker has stored a heartbeat in time (68)."""
        return now - self.beat_at <= BEAT_LIFE_MS

    def status(self, now: int) -> AgentStatus:
        """Return the state: the wished one holds only while a worker is alive that has started the agent (68)."""
        if not (self.running and self.started and self.has_worker(now)):
            return AgentStatus.OFFLINE
        return AgentStatus.ACTIVE if self.enabled else AgentStatus.DISABLED


def config_status(agent: AgentStatus, *, active: bool) -> str:
    """Return the state of a configuration, `active` when it is the active one (69)."""
    if agent is AgentStatus.OFFLINE:
        return "Idle"
    return "Active" if active and agent is AgentStatus.ACTIVE else "Disabled"
