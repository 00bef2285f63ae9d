"""Read a schedule from crossdock.yaml, and store it in a row of the database."""

import calendar
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, time
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from mft_common import clock, settings
from mft_common.errors import ConfigError
from mft_common.schedules.cron import Cron
from mft_common.schedules.repeating import Daily, Interval, Unit
from mft_common.schedules.windows import DAYS, Bound, Window
from mft_common.schedules.zones import instants, local_time, time_zone

Schedule = Cron | Interval | Daily

_KINDS: Final = ("cron", "every", "daily")
_KEYS: Final = {
    "cron": {"cron", "time_zone", "window"},
    "daily": {"daily", "time_zone", "window"},
    "every": {"every", "start", "time_zone", "window", "count", "until"},
}
_WINDOW_KEYS: Final = {"days", "from", "until", "first", "last"}
_EVERY: Final = re.compile(r"([0-9]+) (second|minute|hour|day|week|month|year)s?")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_BOUND: Final = re.compile(r"(?:(?:([0-9]{4})-)?([0-9]{1,2})-)?([0-9]{1,2})")
_UTC: Final = ZoneInfo("UTC")


class _Problems:
    """Collects problems, each with the path of its key."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[str] = []

    def add(self, key: str, *problems: str) -> None:
        at = ".".join(part for part in (self.path, key) if part)
        self.found += [f"{at}: {problem}" if at else problem for problem in problems]

    def read(self, key: str, value: Any, parse: Callable[[Any], Any]) -> Any:
        """Return `parse(value)`; None after a problem."""
        try:
            return parse(value)
        except ConfigError as error:
            self.add(key, *error.problems)
        except (ValueError, TypeError, OverflowError) as error:
            self.add(key, str(error))
        return None


def read_schedule(value: Any, path: str) -> Schedule:
    """Return the schedule of a mapping: `cron`, `every` or `daily`, with `time_zone` and `window`.

    ConfigError names every problem by its path, which begins with `path`.
    """
    problems = _Problems(path)
    if not isinstance(value, Mapping):
        raise ConfigError([f"{path}: is a mapping with one of cron, every and daily"])
    kinds = [kind for kind in _KINDS if kind in value]
    if len(kinds) != 1:
        problems.add("", "needs exactly one of cron, every and daily")
    else:
        for key in sorted(str(key) for key in value.keys() - _KEYS[kinds[0]]):
            problems.add(key, f"no such key beside {kinds[0]}")
    zone = problems.read("time_zone", value["time_zone"], _zone) if "time_zone" in value else _UTC
    window = _window(value["window"], problems) if value.get("window") is not None else None
    made = None
    if len(kinds) == 1:
        build = {"cron": _cron, "every": _interval, "daily": _daily}[kinds[0]]
        made = build(value, zone or _UTC, window, problems)
    if problems.found or made is None:
        raise ConfigError(problems.found)
    return made


def describe(schedule: Schedule) -> dict[str, Any]:
    """Return the mapping from which `read_schedule` makes the same schedule."""
    found: dict[str, Any] = {"time_zone": schedule.zone.key}
    if schedule.window is not None:
        found["window"] = _describe_window(schedule.window)
    if isinstance(schedule, Cron):
        return {"cron": schedule.expression, **found}
    if isinstance(schedule, Daily):
        return {"daily": [one.isoformat() for one in schedule.times], **found}
    start = clock.iso(schedule.anchor) if schedule.local is None else schedule.local.isoformat()
    found |= {"every": f"{schedule.every} {schedule.unit}", "start": start}
    if schedule.count is not None:
        found["count"] = schedule.count
    if schedule.last is not None:
        found["until"] = clock.iso(schedule.last)
    return found


def to_text(schedule: Schedule | None) -> str:
    """Return a schedule as JSON for a row of the database; "" for none."""
    return "" if schedule is None else json.dumps(describe(schedule), sort_keys=True)


def of_text(text: str) -> Schedule | None:
    """Return the schedule that `to_text` wrote."""
    return read_schedule(json.loads(text), "schedule") if text else None


def _zone(value: Any) -> ZoneInfo:
    if not isinstance(value, str):
        raise ConfigError(["is the name of a time zone such as Europe/Amsterdam"])
    return time_zone(value)


def _cron(value: Mapping[str, Any], zone: ZoneInfo, window: Window | None, problems: _Problems) -> Schedule | None:
    text = value["cron"]
    if not isinstance(text, str):
        problems.add("cron", "is a text of five fields, in quotes")
        return None
    return cast("Cron | None", problems.read("cron", text, lambda text: Cron(" ".join(text.split()), zone, window)))


def _daily(value: Mapping[str, Any], zone: ZoneInfo, window: Window | None, problems: _Problems) -> Schedule | None:
    given = value["daily"]
    texts = given if isinstance(given, list) else [given]
    times = [problems.read("daily", text, _time) for text in texts]
    if None in times:
        return None
    made = problems.read("daily", times, lambda times: Daily(tuple(sorted(set(times))), zone, window))
    return cast("Daily | None", made)


def _interval(value: Mapping[str, Any], zone: ZoneInfo, window: Window | None, problems: _Problems) -> Schedule | None:
    every = problems.read("every", value["every"], _every)
    start = problems.read("start", value["start"], lambda given: _start(given, zone)) if "start" in value else (0, None)
    last = problems.read("until", value["until"], lambda given: _moment(given, zone)) if "until" in value else None
    count = value.get("count")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
        problems.add("count", "is a whole number")
        return None
    if every is None or start is None:
        return None
    (number, unit), (anchor, local) = every, start
    made = problems.read("every", value, lambda _: Interval(number, unit, anchor, zone, window, count, last, local))
    return cast("Interval | None", made)


def _every(value: Any) -> tuple[int, Unit]:
    problem = ConfigError(["is a duration of whole seconds such as 15m or 24h, or a text such as `3 months`"])
    if not isinstance(value, str):
        raise problem
    if found := _EVERY.fullmatch(value):
        return int(found[1]), cast("Unit", f"{found[2]}s")
    try:
        seconds = settings.duration(value)
    except ValueError:
        raise problem from None
    if seconds != int(seconds):
        raise problem
    return int(seconds), "seconds"


def _moment(value: Any, zone: ZoneInfo) -> int:
    """Read `2026-03-01T06:00`, a local time, or a time with its distance from UTC."""
    return _start(value, zone)[0]


def _start(value: Any, zone: ZoneInfo) -> tuple[int, datetime | None]:
    """Read a time; return its instant, and the local time that it names where the clock skips that."""
    text = value if isinstance(value, str) else ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(['is a time such as "2026-03-01T06:00", in quotes']) from None
    if moment.tzinfo is not None:
        return clock.parse_iso(text), None
    found = instants(moment, zone)[0]
    return found, None if local_time(found, zone) == moment else moment


def _time(value: Any) -> time:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        # YAML reads 22:30 without quotes as a number.
        raise ConfigError(['is a time of the day such as "06:30", in quotes'])
    return time(int(found[1]), int(found[2]), int(found[3] or 0))


def _window(value: Any, problems: _Problems) -> Window | None:
    if not isinstance(value, Mapping):
        problems.add("window", "is a mapping with days, from, until, first and last")
        return None
    for key in sorted(str(key) for key in value.keys() - _WINDOW_KEYS):
        problems.add(f"window.{key}", "no such key")
    before = len(problems.found)
    parts: dict[str, Any] = {}
    for key, name, parse in (
        ("days", "days", _days),
        ("from", "start", _time),
        ("until", "end", _time),
        ("first", "first", _bound),
        ("last", "last", _bound),
    ):
        if value.get(key) is not None:
            parts[name] = problems.read(f"window.{key}", value[key], parse)
    if len(problems.found) > before:
        return None
    return cast("Window | None", problems.read("window", parts, lambda parts: Window(**parts)))


def _days(value: Any) -> frozenset[int]:
    names = value if isinstance(value, list) else [value]
    wrong = [name for name in names if name not in DAYS]
    if wrong or not names:
        raise ConfigError([f"is a list of {', '.join(DAYS)}"])
    return frozenset(DAYS.index(name) for name in names)


def _bound(value: Any) -> Bound:
    # YAML reads 2026-03-01 without quotes as a date.
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    text = text.isoformat() if hasattr(text, "isoformat") and not isinstance(text, datetime) else text
    found = _BOUND.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ConfigError(['is a date such as "2026-03-01", "03-01" (every year) or 1 (every month)'])
    year, month, day = (None if part is None else int(part) for part in found.groups())
    return Bound(day, month, year)


def _describe_window(window: Window) -> dict[str, Any]:
    found: dict[str, Any] = {"days": [DAYS[day] for day in sorted(window.days)], "from": window.start.isoformat()}
    if window.end is not None:
        found["until"] = window.end.isoformat()
    for name, bound in (("first", window.first), ("last", window.last)):
        if bound is not None:
            found[name] = _describe_bound(bound.first() if name == "first" else bound.last())
    return found


def _describe_bound(parts: tuple[int, ...]) -> str:
    *_, day = parts
    if len(parts) > 1:
        # A bound without a day counts as the 31st, which shorter months do not have. Every fourth year has 29 February.
        day = min(day, calendar.monthrange(parts[0] if len(parts) == 3 else 2000, parts[-2])[1])
    return "-".join(f"{part:02d}" for part in (*parts[:-1], day))
