"""The leaves of a window in a schedule or a rule (10.5); None stands for -1, which is any."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

# Sunday first, as the documents have them.
DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One end of a window: a time of day, and a date that recurs yearly without a year and monthly with a day alone."""

    hour: int | None = None
    minute: int | None = None
    day: int | None = None
    month: int | None = None
    year: int | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """The local times at which something may happen; `enabled` False switches it off, so that it is always open.

    `days` are the names of days of the week. `start` is inclusive, the time of `end` exclusive and its date inclusive.
    """

    enabled: bool = True
    days: tuple[str, ...] = DAYS
    start: Edge = Edge()
    end: Edge = Edge()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the window of what `asdict` made of one."""
        ends = {name: Edge(**values[name]) for name in ("start", "end")}
        return cls(**{**values, "days": tuple(values["days"]), **ends})
