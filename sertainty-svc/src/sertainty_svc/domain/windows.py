"""The leaves of a window in a schedule or a rule (10.5); None stands for -1, which is any."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, Final, Self

from mft_common import schedules
from mft_common.errors import ConfigError
from mft_common.schedules.zones import local_time, time_zone

# Sunday first, as the documents have them.
DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MIDNIGHT: Final = time()


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One end of a window: a time of day, and a date that recurs yearly without a year and monthly with a day alone.

    A minute without an hour has no effect.
    """

    hour: int | None = None
    minute: int | None = None
    day: int | None = None
    month: int | None = None
    year: int | None = None

    @property
    def time(self) -> time | None:
        """The time of day, None where any hour is meant."""
        return None if self.hour is None else time(self.hour, self.minute or 0)

    @property
    def bound(self) -> schedules.Bound | None:
        """The date, None where any is meant."""
        if self.day is None and self.month is None and self.year is None:
            return None
        return schedules.Bound(self.day, self.month, self.year)


@dataclass(frozen=True, kw_only=True)
class Window:
    """The local times at which something may happen; `enabled` False switches it off, so that it is always open.

    `days` are the names of days of the week. `start` is inclusive, the time of `end` exclusive and its date inclusive;
    an end at 0:00 is the end of the day.
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

    @property
    def restriction(self) -> schedules.Window | None:
        """The window as schedules and watches take it, None where it is always open; ConfigError with its problems.

        Problems are a date that is none, a span without length, and a window that never opens.
        """
        return _restriction(self)

    @property
    def problems(self) -> list[str]:
        """The faults of the leaves together, one text each."""
        try:
            _restriction(self)
        except ConfigError as error:
            return list(error.problems)
        return []

    def spans(self, moment: time) -> bool:
        """Return whether a time of day lies in the span of a day on which the window opens."""
        start, end = self.start.time or _MIDNIGHT, self.end.time or _MIDNIGHT
        return start <= moment < end if start < end else moment >= start or moment < end

    def is_open(self, at: int, zone: str) -> bool:
        """Return whether a time in milliseconds lies inside, by the clock of an IANA zone."""
        window = self.restriction
        return window is None or window.contains(local_time(at, time_zone(zone)))


@functools.lru_cache(4096)
def _restriction(window: Window) -> schedules.Window | None:
    if not window.enabled or window == Window():
        return None
    end = window.end.time
    return schedules.Window(
        # Schedules count the days from Monday on.
        days=frozenset((DAYS.index(day) - 1) % len(DAYS) for day in window.days),
        start=window.start.time or _MIDNIGHT,
        end=None if end == _MIDNIGHT else end,
        first=window.start.bound,
        last=window.end.bound,
    )
