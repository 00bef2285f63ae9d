"""Run at fixed intervals, or every day at given times."""

import calendar
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, time, timedelta
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from mft_common.errors import ConfigError
from mft_common.schedules.occurrences import next_instant
from mft_common.schedules.windows import SEARCHED, Window
from mft_common.schedules.zones import change_between, instants, local_time, offset

Unit = Literal["seconds", "minutes", "hours", "days", "weeks", "months", "years"]

_UTC: Final = ZoneInfo("UTC")
_FIXED_MS: Final = {"seconds": 1000, "minutes": 60_000, "hours": 3_600_000}
_DAYS: Final = {"days": 1, "weeks": 7}
_MONTHS: Final = {"months": 1, "years": 12}
_DAY: Final = timedelta(days=1)
_MOST: Final = 1_000_000_000
# No zone changes its clock twice within this time.
_LONGEST_JUMP: Final = timedelta(days=14)
_SEARCHED_MS: Final = SEARCHED // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Interval:
    """Every `every` units, counted from `anchor` (milliseconds), which is an occurrence itself.

    Seconds, minutes and hours are time that passes; days, weeks, months and years keep the anchor's local time, over
    changes of the clock too, and a month without the anchor's day has the occurrence on its last day. `count` is the
    number of occurrences, those outside the window included; `last` (milliseconds) the time of the latest possible one.
    `local` is the local time that the anchor stands for where the clock skips it: days and longer units keep that one.
    """

    every: int
    unit: Unit = "seconds"
    anchor: int = 0
    zone: ZoneInfo = _UTC
    window: Window | None = None
    count: int | None = None
    last: int | None = None
    local: datetime | None = None

    def __post_init__(self) -> None:
        """Check it."""
        problems = [] if self.unit in get_args(Unit) else [f"{self.unit!r} is no unit of time"]
        if not 1 <= self.every <= _MOST:
            problems.append(f"an interval is 1 to {_MOST} {self.unit}")
        if self.count is not None and self.count < 1:
            problems.append("count: there is at least one occurrence")
        if self.local is not None and self.anchor not in instants(self.local, self.zone):
            problems.append(f"the anchor is not {self.local} in {self.zone.key}")
        if problems:
            raise ConfigError(problems)

    def next_after(self, at: int) -> int | None:
        """Return the first time after `at`, both in milliseconds; None where there is none any more."""
        try:
            found = self._fixed_after(at) if self.unit in _FIXED_MS else self._calendar_after(at)
        except OverflowError:
            # The calendar ends with the year 9999.
            return None
        return None if found is None or (self.last is not None and found > self.last) else found

    def _fixed_after(self, at: int) -> int | None:
        number = self._first_number(at + 1)
        last = max(at, self.anchor) + _SEARCHED_MS
        local = opening = datetime.min  # noqa: DTZ901 -- local times have no zone here
        while self.count is None or number < self.count:
            found = self.anchor + number * self._step_ms
            if found > last and self.window is not None:
                return None
            before, local = local, local_time(found, self.zone)
            if self.window is None or self.window.contains(local):
                return found
            # A search for the opening walks through all days before it: one is enough until it has come, unless the
            # clock was set back meanwhile.
            if not before < local < opening:
                after = self.window.opening(local)
                if after is None:
                    return None
                opening = after
            number = max(number + 1, self._first_number(self._jump(found, local, opening)))
        return None

    def _calendar_after(self, at: int) -> int | None:
        # The anchor may be the second time that the clock shows its local time; the later ones are the first.
        if at < self.anchor and (self.window is None or self.window.contains(self._local_anchor)):
            return self.anchor
        return next_instant(max(at, self.anchor), self.zone, self._following, self.window)

    @property
    def _local_anchor(self) -> datetime:
        return local_time(self.anchor, self.zone) if self.local is None else self.local

    @property
    def _step_ms(self) -> int:
        return self.every * _FIXED_MS[self.unit]

    def _first_number(self, at: int) -> int:
        """Return the number of the first occurrence that is not before `at`."""
        return max(0, -((self.anchor - at) // self._step_ms))

    def _jump(self, at: int, local: datetime, opening: datetime) -> int:
        """Return a time after `at` before which the window is closed: that of `opening`, or a change of the clock."""
        target = at + min(opening - local, _LONGEST_JUMP) // timedelta(milliseconds=1)
        same = offset(at, self.zone) == offset(target, self.zone)
        return target if same else change_between(at, target, self.zone)

    def _following(self, moment: datetime) -> datetime | None:
        anchor = self._local_anchor
        number = max(0, self._estimate(anchor, moment))
        while (found := self._occurrence(anchor, number)) <= moment:
            number += 1
        return found if self.count is None or number < self.count else None

    def _estimate(self, anchor: datetime, moment: datetime) -> int:
        """Return the number of an occurrence that is not after the first one after `moment`."""
        if self.unit in _DAYS:
            return (moment - anchor).days // (_DAYS[self.unit] * self.every)
        months = (moment.year - anchor.year) * 12 + moment.month - anchor.month
        return months // (_MONTHS[self.unit] * self.every)

    def _occurrence(self, anchor: datetime, number: int) -> datetime:
        if self.unit in _DAYS:
            return anchor + number * self.every * _DAYS[self.unit] * _DAY
        months = anchor.month - 1 + number * self.every * _MONTHS[self.unit]
        year, month = anchor.year + months // 12, months % 12 + 1
        if year > MAXYEAR:
            raise OverflowError
        return anchor.replace(year=year, month=month, day=min(anchor.day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True)
class Daily:
    """Every day at local times. One that does not exist runs at the next instant that does, one that comes twice once.

    ConfigError without times.
    """

    times: tuple[time, ...]
    zone: ZoneInfo = _UTC
    window: Window | None = None

    def __post_init__(self) -> None:
        """Check it."""
        if not self.times:
            raise ConfigError(["at least one time of the day is needed"])

    def next_after(self, at: int) -> int | None:
        """Return the first time after `at`, both in milliseconds; None where there is none any more."""
        return next_instant(at, self.zone, self._following, self.window)

    def _following(self, moment: datetime) -> datetime | None:
        days = (moment.date(), moment.date() + _DAY)
        return min(found for day in days for one in self.times if (found := datetime.combine(day, one)) > moment)
