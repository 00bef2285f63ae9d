"""Run at the times of a cron expression of five fields.

The fields are those of cron(8) and of Debian's cron, read by cronsim: minute, hour, day of month, month, day of week,
with lists, ranges and steps, names of months and days, `L` and `LW` as a day of month, `5L` and `5#2` as a day of week.
Day of month and day of week: either matches when both are given; both must match when one of them begins with `*`.
cronsim walks over plain local times; what a change of the clock does to them is decided here.
"""

import copy
import functools
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

from mft_common.errors import ConfigError
from mft_common.schedules.occurrences import next_instant
from mft_common.schedules.windows import Window

_UTC: Final = ZoneInfo("UTC")
_LONGEST: Final = 255
_FIELDS: Final = (Field.MINUTE, Field.HOUR, Field.DAY, Field.MONTH, Field.DOW)
_NAMES: Final = ("minute", "hour", "day of month", "month", "day of week")
_COUNTS: Final = (60, 24, 31, 12, 7)
_STEP: Final = re.compile(r"/([0-9]+)$")
# Every combination of date and day of the week comes within the 50 years for which cronsim searches from here.
_ANY_TIME: Final = datetime(2000, 1, 1)  # noqa: DTZ001 -- local times have no zone here


@dataclass(frozen=True)
class Cron:
    """A cron expression in a zone. ConfigError names everything that is wrong with it.

    A time that does not exist runs at the next instant that does. One that comes twice runs once, the first time,
    unless the hour field begins with `*`: then the expression follows the clock through both hours.
    """

    expression: str
    zone: ZoneInfo = _UTC
    window: Window | None = None

    def __post_init__(self) -> None:
        """Check it."""
        if problems := problems_of(self.expression):
            raise ConfigError(problems)

    def next_after(self, at: int) -> int | None:
        """Return the first time after `at`, both in milliseconds; None where there is none any more."""
        both = self.expression.split()[1].startswith("*")
        return next_instant(at, self.zone, self._following, self.window, both=both)

    def _following(self, moment: datetime) -> datetime | None:
        walk = copy.copy(_walk(self.expression))
        walk.dt = moment.replace(microsecond=0)
        return next(walk, None)


def problems_of(expression: str) -> list[str]:
    """Return what is wrong with a cron expression: each bad field, steps without effect, and one that never fires."""
    fields = expression.upper().split()
    if len(expression) > _LONGEST:
        return [f"a cron expression has at most {_LONGEST} characters"]
    if len(fields) != len(_FIELDS):
        return [f"{expression!r} has {len(fields)} fields; it needs minute, hour, day of month, month and day of week"]
    problems = [problem for position, text in enumerate(fields) for problem in _problems_of_field(position, text)]
    if not problems:
        try:
            fires = next(CronSim(expression, _ANY_TIME), None)
        except CronSimError:
            # Every field is right, so its days are in none of its months.
            fires = None
        if fires is None:
            problems.append(f"{expression!r} never fires")
    return problems


def _problems_of_field(position: int, text: str) -> list[str]:
    name, count = _NAMES[position], _COUNTS[position]
    try:
        _FIELDS[position].parse(text)
    except (CronSimError, AssertionError, TypeError, ValueError):
        return [f"{name}: {text.lower()!r} is not understood"]
    steps = [int(found[1]) for term in text.split(",") if (found := _STEP.search(term))]
    return [f"{name}: a step of {step} is longer than all {count} values" for step in steps if step > count]


@functools.lru_cache(4096)
def _walk(expression: str) -> CronSim:
    return CronSim(expression, _ANY_TIME)
