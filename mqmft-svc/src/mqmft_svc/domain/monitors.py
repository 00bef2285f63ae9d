"""A resource monitor looks at a folder or a queue, and begins a managed transfer when its condition is met (1.L)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

TYPES: Final = ("directory", "queue")
STATES: Final = ("started", "stopped")
STARTED, STOPPED = STATES
DIRECTORY, QUEUE = TYPES
GROUPS: Final = "completeMessageGroups"
# The conditions of each type of resource (187).
CONDITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    DIRECTORY: ("matchAll", "matchNone", "noChangeInSize", "sizeGreaterOrEqualTo"),
    QUEUE: ("queueNotEmpty", GROUPS),
}
MATCHES: Final = ("wildcard", "regex")
INTERVALS: Final[Mapping[str, int]] = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
SIZES: Final[Mapping[str, int]] = {"bytes": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_KEY: Final = "monitor/"


def key_of(number: int) -> str:
    """Return the name under which the matches of a monitor are remembered."""
    return f"{_KEY}{number}"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The condition of a monitor.

    `include` and `exclude` are patterns of names, "" for none; `polls` is for how many polls a file must have kept its
    size, `size` how many bytes it must have at least.
    """

    type: str
    include: str = ""
    exclude: str = ""
    match: Literal["wildcard", "regex"] = "wildcard"
    polls: int = 0
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """A monitor as it was created; `document` is its definition as the resource shows it, with the defaults.

    `account` is that of its creator, who is the originator of its transfers; `number` is its own among all that ever
    were. `depth` is how many levels of folders below its resource belong to it, `interval_s` the time between two
    polls, `matches` how many matches make one transfer at most.
    """

    name: str
    type: str
    agent: str
    resource: str
    depth: int
    interval_s: int
    matches: int
    condition: Condition
    document: Mapping[str, Any]
    account: str
    number: int = 0

    @property
    def key(self) -> str:
        """The name under which its matches are remembered."""
        return key_of(self.number)

    @property
    def definition(self) -> Mapping[str, Any]:
        """The body of the transfers that it begins, with variables."""
        found: Mapping[str, Any] = self.document["transferDefinition"]
        return found

    @property
    def variables(self) -> Mapping[str, str]:
        """The values of its own variables."""
        found: Mapping[str, str] = self.document["defaultVariables"]
        return found


@dataclass(frozen=True, kw_only=True)
class Match:
    """A file that met the condition: its path as its agent knows it; `size` and `modified_at` are None for unknown."""

    path: str
    size: int | None = field(default=None)
    modified_at: int | None = field(default=None)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]
