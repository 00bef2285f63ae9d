"""Restrict a schedule to days of the week, a span of each day, and a range of dates."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from mft_common.errors import ConfigError

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ALL_DAYS: Final = frozenset(range(7))
# A schedule may meet its window never, for example daily at noon and a window in the morning: it is taken to do so
# where it has not met it within this time.
SEARCHED: Final = timedelta(days=36_525)
_DAY: Final = timedelta(days=1)
# The calendar repeats dates and days of the week after 28 years, after at most 40 where a leap year is left out.
_SEARCHED_DAYS: Final = 41 * 366
_ANY_TIME: Final = datetime(2000, 1, 1)  # noqa: DTZ001 -- local times have no zone here


@dataclass(frozen=True)
class Bound:
    """One end of a range of dates: with a year once, without one every year, with a day alone every month.

    A month without a day means its first or last day, a year without a month its first or last month.
    """

    day: int | None = None
    month: int | None = None
    year: int | None = None

    @property
    def repeats(self) -> str:
        """How often the range comes: `once`, `yearly` or `monthly`."""
        return "once" if self.year is not None else "yearly" if self.month is not None else "monthly"

    def problems(self) -> list[str]:
        """Return what is wrong with it."""
        found = []
        if self.day is None and self.month is None and self.year is None:
            found.append("is empty")
        if self.year is not None and self.day is not None and self.month is None:
            found.append("has a year and a day without a month")
        if self.month is not None and self.month not in range(1, 13):
            found.append(f"{self.month} is no month")
        if self.day is not None and self.day not in range(1, 32):
            found.append(f"{self.day} is no day of a month")
        if self.year is not None and self.year not in range(1970, 9000):
            found.append(f"{self.year} is no year from 1970 to 8999")
        if not found and not self._is_a_date():
            found.append("is no date")
        return found

    def first(self) -> tuple[int, ...]:
        """Return its parts as the begin of a range."""
        return self._parts(1, 1)

    def last(self) -> tuple[int, ...]:
        """Return its parts as the end of a range."""
        return self._parts(12, 31)

    def parts_of(self, day: date) -> tuple[int, ...]:
        """Return those parts of `day` that are compared with this bound."""
        return {"once": (day.year, day.month, day.day), "yearly": (day.month, day.day), "monthly": (day.day,)}[
            self.repeats
        ]

    def _is_a_date(self) -> bool:
        if self.day is None or self.month is None:
            return True
        try:
            date(self.year or 2000, self.month, self.day)
        except ValueError:
            return False
        return True

    def _parts(self, month: int, day: int) -> tuple[int, ...]:
        month, day = self.month or month, self.day or day
        return {"once": (self.year or 0, month, day), "yearly": (month, day), "monthly": (day,)}[self.repeats]


@dataclass(frozen=True)
class Window:
    """The local times at which a schedule may run.

    `days` are days of the week, Monday is 0. `start` (inclusive) and `end` (exclusive, None for midnight) are a span of
    each day; it crosses midnight where the end is not later, and its part after midnight belongs to the day on which it
    began. `first` and `last` are the dates between which, both inclusive, those days lie; a yearly or monthly range may
    cross the end of its year or month. ConfigError names everything that is wrong, a window that never opens included.
    """

    days: frozenset[int] = _ALL_DAYS
    start: time = time()
    end: time | None = None
    first: Bound | None = None
    last: Bound | None = None

    def __post_init__(self) -> None:
        """Check it."""
        problems = [] if self.days and self.days <= _ALL_DAYS else ["days: no day of the week"]
        if self.start == self.end:
            problems.append("the span of the day begins and ends at the same time")
        for name, bound in (("first", self.first), ("last", self.last)):
            problems += [f"{name}: {problem}" for problem in (bound.problems() if bound else ())]
        if self.first and self.last and self.first.repeats != self.last.repeats:
            problems.append("first and last: both with a year, both with a month and no year, or both with a day alone")
        if not problems and self.opening(_ANY_TIME if not self._once else self._begin()) is None:
            problems.append("it never opens")
        if problems:
            raise ConfigError(problems)

    def contains(self, moment: datetime) -> bool:
        """Return whether a local time lies inside."""
        return any(
            self._has_day(day) and self._opens(day) <= moment < self._closes(day)
            for day in (moment.date(), moment.date() - _DAY)
        )

    def opening(self, moment: datetime) -> datetime | None:
        """Return the first local time after `moment` at which the window opens; None for never again."""
        day = moment.date()
        for _ in range(_SEARCHED_DAYS):
            if self._opens(day) > moment and self._has_day(day):
                return self._opens(day)
            if self._is_over(day):
                return None
            day += _DAY
            if day.year < self._first_year:
                day = date(self._first_year, 1, 1)
        return None

    @property
    def _once(self) -> bool:
        return any(bound is not None and bound.repeats == "once" for bound in (self.first, self.last))

    @property
    def _first_year(self) -> int:
        return self.first.year if self.first is not None and self.first.year is not None else 1

    def _begin(self) -> datetime:
        """Return a time before the range of dates that comes once."""
        year = self.first.year if self.first and self.first.year else (self.last and self.last.year) or 0
        return datetime(year - 1, 12, 1)  # noqa: DTZ001 -- local times have no zone here

    def _is_over(self, day: date) -> bool:
        return self.last is not None and self.last.repeats == "once" and self.last.parts_of(day) > self.last.last()

    def _has_day(self, day: date) -> bool:
        if day.weekday() not in self.days:
            return False
        late = self.first is None or self.first.parts_of(day) >= self.first.first()
        early = self.last is None or self.last.parts_of(day) <= self.last.last()
        if self.first and self.last and not self._once and self.first.first() > self.last.last():
            return late or early
        return late and early

    def _opens(self, day: date) -> datetime:
        return datetime.combine(day, self.start)

    def _closes(self, day: date) -> datetime:
        if self.end is None:
            return datetime.combine(day + _DAY, time())
        return datetime.combine(day if self.end > self.start else day + _DAY, self.end)
