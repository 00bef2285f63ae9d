"""Schedules against a reference that looks at every minute, in six zones, around both changes of the clock."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest

from mft_common.schedules import Cron, Daily, Interval, Window, time_zone

MINUTE = 60_000
HOUR = 60 * MINUTE
# A zone, and days on which its clock changes: by an hour, by half an hour, and by a whole day (Apia, which had no
# 30 December 2011; Kwajalein had none of 21 August 1993).
CHANGES = [
    ("Europe/Amsterdam", "2026-03-29", "2026-10-25"),
    ("America/New_York", "2026-03-08", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05", "2026-10-04"),
    ("Pacific/Apia", "2011-12-30", "2011-04-02"),
    ("Asia/Kolkata", "2026-03-29", "2026-10-25"),
    ("Antarctica/Casey", "2018-03-11", "2020-10-04"),
]
EXPRESSIONS = [
    "30 2 * * *", "0 12 * * 0", "*/15 * * * *", "0 0 13 * 5", "15 1-3 * * *", "10 * * * *", "5 */2 * * *",
    "0,30 2,3 * * mon-fri", "* 2 * * *", "0 0 * * *", "45 23 */2 * 1-5", "59 1 28-31 * *",
]  # fmt: skip
NAMES = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}


def field(text, low, high):
    """Return the values of a field of numbers, names, ranges and steps."""
    values = set()
    for term in text.split(","):
        body, _, step = term.partition("/")
        first, _, last = body.partition("-")
        begin = low if body == "*" else int(NAMES.get(first, first))
        end = high if body == "*" else int(NAMES.get(last, last)) if last else begin
        values |= set(range(begin, end + 1, int(step or 1)))
    return values


def matcher(expression):
    """Return a function that tells whether a local time matches an expression."""
    minute, hour, day, month, weekday = expression.split()
    minutes, hours, days = field(minute, 0, 59), field(hour, 0, 23), field(day, 1, 31)
    months, weekdays = field(month, 1, 12), {number % 7 for number in field(weekday, 0, 6)}
    either = all if day.startswith("*") or weekday.startswith("*") else any

    def matches(local):
        of_day = (local.day in days, local.isoweekday() % 7 in weekdays)
        return local.minute in minutes and local.hour in hours and local.month in months and either(of_day)

    return matches


def minutes_around(zone, day):
    """Yield each minute of five days: milliseconds, local time, whether it came before, and skipped local times."""
    begin = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000 - 48 * HOUR
    seen = set()
    before = None
    for at in range(begin - 26 * HOUR, begin + 5 * 24 * HOUR, MINUTE):
        local = datetime.fromtimestamp(at // 1000, zone).replace(tzinfo=None, fold=0)
        skipped = []
        if before is not None:
            gap = int((local - before).total_seconds()) // 60
            skipped = [before + timedelta(minutes=number) for number in range(1, gap)]
        before = local
        if at >= begin:
            yield at, local, local in seen, skipped
        seen.add(local)


def reference(zone, day, matches, both):
    return [
        at
        for at, local, again, skipped in minutes_around(zone, day)
        if (matches(local) and (both or not again)) or any(matches(one) for one in skipped)
    ]


def check(schedule, zone, day, expected):
    """Compare next_after from each half hour, and from each occurrence on, with the expected list of times."""
    begin = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000 - 48 * HOUR
    starts = range(begin, begin + 4 * 24 * HOUR, HOUR // 2)
    points = sorted({*starts, *(at + 1 for at in starts), *expected, *(at - 1 for at in expected)})
    remaining = list(expected)
    for start in points:
        while remaining and remaining[0] <= start:
            remaining.pop(0)
        if remaining:
            assert schedule.next_after(start) == remaining[0], (schedule, start)
        else:
            found = schedule.next_after(start)
            assert found is None or found >= begin + 5 * 24 * HOUR


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize(("name", "day"), [(name, day) for name, *days in CHANGES for day in days])
def test_a_cron_expression_runs_at_the_minutes_of_the_reference_b18(name, day, expression):
    """No day is lost, no time is in the past, and a doubled time runs once unless the hour field begins with `*`."""
    zone = time_zone(name)
    both = expression.split()[1].startswith("*")
    expected = reference(zone, day, matcher(expression), both)
    check(Cron(expression, zone), zone, day, expected)


@pytest.mark.parametrize(("name", "day"), [(name, day) for name, *days in CHANGES for day in days])
def test_daily_times_run_once_a_day_by_the_reference(name, day):
    """Data Protector's `At`: a local time that does not exist runs at the first moment after the gap, once."""
    zone = time_zone(name)
    times = (time(0, 0), time(1, 45), time(2, 15), time(2, 30))
    expected = reference(zone, day, lambda local: local.time() in times, both=False)
    check(Daily(times, zone), zone, day, expected)


@pytest.mark.parametrize(("start", "end"), [(time(2), time(2, 30)), (time(22), time(2, 10)), (time(1, 30), time(3, 5))])
@pytest.mark.parametrize(("name", "day"), [(name, day) for name, *days in CHANGES for day in days])
def test_a_window_holds_back_an_interval_by_the_local_clock(name, day, start, end):
    """Every seven minutes while the clock on the wall is inside the span, also while it shows the span again."""
    zone = time_zone(name)

    def inside(local):
        if start < end:
            return start <= local.time() < end
        return local.time() >= start or local.time() < end

    every = 7 * MINUTE
    expected = [at for at, local, *_ in minutes_around(zone, day) if at % every == 0 and inside(local)]
    check(Interval(7, "minutes", 0, zone, Window(start=start, end=end)), zone, day, expected)


@pytest.mark.parametrize(("name", "day"), [(name, day) for name, *days in CHANGES for day in days])
def test_a_window_is_compared_with_the_local_time_that_a_cron_expression_names(name, day):
    """A time that the clock skips is not moved out of its window."""
    zone = time_zone(name)
    matches = matcher("*/10 2 * * *")
    expected = reference(zone, day, lambda local: matches(local) and time(2, 10) <= local.time() < time(2, 40), False)
    check(Cron("*/10 2 * * *", zone, Window(start=time(2, 10), end=time(2, 40))), zone, day, expected)


@pytest.mark.parametrize(("name", "day"), [(name, day) for name, *days in CHANGES for day in days])
def test_days_keep_their_local_time_and_hours_their_length(name, day):
    """An interval of days is no multiple of 86,400 s where the clock changes; one of hours is (B18)."""
    zone = time_zone(name)
    begin = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000 - 72 * HOUR
    local = datetime.fromtimestamp(begin // 1000, zone).replace(tzinfo=None).time()
    expected = reference(zone, day, lambda one: one.time() == local, both=False)
    check(Interval(1, "days", begin, zone), zone, day, expected)
    hours = Interval(5, "hours", begin, zone)
    assert {b - a for a, b in pairwise(times(hours, begin, 20))} == {5 * HOUR}


def times(schedule, at, count):
    found = []
    for _ in range(count):
        at = schedule.next_after(at)
        found.append(at)
    return found
