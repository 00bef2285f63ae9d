"""The schedule of a managed transfer: as a request states it, and as times to run at (174-176, 235, 236)."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from mft_common.schedules import Interval
from mft_common.schedules.zones import instants, local_time
from mqmft_svc.errors import BodyInvalid

TimeBase = Literal["admin", "source", "utc"]
Unit = Literal["minutes", "hours", "days", "weeks", "months", "years"]

TIME_BASES: Final = ("admin", "source", "utc")
UNITS: Final = ("minutes", "hours", "days", "weeks", "months", "years")
MOST: Final = 1_000_000_000
MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]")
TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ATTRIBUTE: Final = "scheduleTransfer"
_PAST: Final = "{time} has passed in {zone}."
_TOO_EARLY: Final = "it is before the start."
_NO_DATE: Final = "there is no such date."
# Days on which the next local time of the clock may lie: the clock may be set back or forward over midnight.
_NEAR_DAYS: Final = range(-1, 3)
# In UTC the last day of the calendar ends before that of some zones.
_LAST_YEAR: Final = 9998


@dataclass(frozen=True, kw_only=True)
class ScheduleRequest:
    """The times of a `scheduleTransfer`: `start` is `2026-03-01T06:00` or `06:00`, `end` such a date and time or "".

    With an `interval` there is an occurrence every `frequency` of them, without one there is one in all; `count` is how
    many there are, None for any number.
    """

    start: str
    time_base: TimeBase = "admin"
    interval: Unit | Literal[""] = ""
    frequency: int = 1
    count: int | None = None
    end: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The times of a schedule: the first one in milliseconds, and `repeats` where there may be more."""

    first: int
    zone: ZoneInfo
    repeats: Interval | None


def plan(request: ScheduleRequest, zone: ZoneInfo, now: int) -> Plan:
    """Return the times of a schedule that is asked for at `now` (ms); BodyInvalid where one has passed, or is none."""
    first, local = _start(request.start, zone, now)
    last = _end(request.end, zone, first) if request.end else None
    if not request.interval:
        return Plan(first=first, zone=zone, repeats=None)
    skipped = local if local_time(first, zone) != local else None
    repeats = Interval(
        request.frequency, request.interval, first, zone, count=request.count, last=last, local=skipped
    )  # fmt: skip
    return Plan(first=first, zone=zone, repeats=repeats)


def shown(at: int, zone: ZoneInfo) -> str:
    """Return a time for people: `2026-03-01 06:00 Europe/Amsterdam`."""
    return f"{local_time(at, zone):%Y-%m-%d %H:%M} {zone.key}"


def _start(text: str, zone: ZoneInfo, now: int) -> tuple[int, datetime]:
    """Return when a schedule starts, and the local time of that, which the clock may skip."""
    if MOMENT.fullmatch(text):
        moment = _moment(text, "startTime")
        # Of a time that comes twice, the second one is as good where the first has passed.
        ahead = [at for at in instants(moment, zone) if at >= now]
        if not ahead:
            raise _refused("startTime", _PAST.format(time=text, zone=zone.key))
        return ahead[0], moment
    today = local_time(now, zone).date()
    moments = [datetime.combine(today + timedelta(days), time.fromisoformat(text)) for days in _NEAR_DAYS]
    return min((at, moment) for moment in moments for at in instants(moment, zone) if at > now)


def _end(text: str, zone: ZoneInfo, first: int) -> int:
    # The last instant that shows this time still belongs to the schedule.
    end = instants(_moment(text, "endTime"), zone)[-1]
    if end < first:
        raise _refused("endTime", _TOO_EARLY)
    return end


def _moment(text: str, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise _refused(name, _NO_DATE) from error
    if found.year > _LAST_YEAR:
        raise _refused(name, f"it is after the year {_LAST_YEAR}.")
    return found


def _refused(name: str, reason: str) -> BodyInvalid:
    return BodyInvalid(name=f"{_ATTRIBUTE}.{name}", reason=reason)
