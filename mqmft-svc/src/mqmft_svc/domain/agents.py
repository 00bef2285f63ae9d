"""An agent is a named root of files; its state says whether the far side can be used (184, 216)."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from mft_common.endpoints.targets import LOCAL, Target

# All states and types of the protocol, also those that no agent of this hub has.
STATES: Final = ("active", "ready", "starting", "unreachable", "stopped", "problem", "unknown")
TYPES: Final = ("standard", "connectDirectBridge", "protocolBridge")
# The kinds of endpoints that can be the root of an agent.
ROOTS: Final = ("file", "filestore", "sftp", "ftp", "ftps", "s3")

ACTIVE: Final = "active"
READY: Final = "ready"
STARTING: Final = "starting"
UNREACHABLE: Final = "unreachable"
PROBLEM: Final = "problem"
UNKNOWN: Final = "unknown"
STOPPED: Final = "stopped"

# Each agent is probed this often. A state that is older than several probes would take is not known any more.
PROBE_EVERY_S: Final = 30
LATEST_MS: Final = 120_000


def type_of(scheme: str) -> str:
    """Return the type of an agent by the kind of its root."""
    return "standard" if scheme in LOCAL else "protocolBridge"


@dataclass(frozen=True, kw_only=True)
class Agent:
    """An agent as crossdock.yaml declares it: `root` is its URL there, `target` what that names.

    `queues` is the URL of its message broker, "" where it has none. `message_groups` says that its queues keep a
    message however often it is looked at and given back, so that complete groups can be looked for. `allow` names the
    accounts that it serves, None for all of them.
    """

    name: str
    qmgr: str
    root: str
    target: Target
    description: str = ""
    timezone: str = "UTC"
    queues: str = field(default="", repr=False)
    message_groups: bool = False
    allow: tuple[str, ...] | None = None
    maximum_queued_transfers: int = 1000
    maximum_source_transfers: int = 25
    maximum_destination_transfers: int = 25

    @property
    def type(self) -> str:
        """The agent's type."""
        return type_of(self.target.scheme)

    @property
    def no_groups(self) -> str:
        """The reason why no complete groups are looked for in its queues, "" where they are."""
        if self.message_groups:
            return ""
        return (
            f"complete groups are not looked for in the queues of the agent {self.name}: a queue with a delivery limit "
            "drops messages that are looked at and given back too often (message_groups of crossdock.yaml)"
        )

    @property
    def definition(self) -> str:
        """A digest of what a probe depends on, without the secrets: a state holds for one definition only."""
        return hashlib.sha256(repr((self.root, self.target)).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Status:
    """The knowledge about an agent: the finding of its last probe, and when that ended, in milliseconds.

    `detail` is the reason of a finding that is not `ready`. Before the first probe of a definition the finding is
    `starting`, and the time is that of its application. `stopped` says that an operator has stopped the agent: no
    transfer begins from or to it, whatever the probes find.
    """

    finding: str
    at: int
    detail: str = ""
    stopped: bool = False

    def state(self, now: int) -> str:
        """Return the state at `now`: `unknown` where the finding is too old, or of a time that is still to come."""
        if self.stopped:
            return STOPPED
        return self.finding if abs(now - self.at) <= LATEST_MS else UNKNOWN
