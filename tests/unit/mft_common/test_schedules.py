"""Schedules that are accepted and refused, their descriptions, and their times away from changes of the clock."""

from dataclasses import replace
from datetime import UTC, datetime, time
from time import process_time

import pytest

from mft_common import clock
from mft_common.errors import ConfigError
from mft_common.schedules import Bound, Cron, Daily, Interval, Window, describe, read_schedule, time_zone

AMSTERDAM = time_zone("Europe/Amsterdam")


def ms(text):
    return clock.parse_iso(text)


def after(schedule, text, count=3):
    at, found = ms(text), []
    while len(found) < count and (at := schedule.next_after(at)) is not None:
        found.append(clock.iso(at)[:16])
    return found


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("0 0 13 * 5", "2026-11-01T00:00Z", ["2026-11-06T00:00", "2026-11-13T00:00", "2026-11-20T00:00"]),
        ("0 0 13 * 5", "2026-12-04T00:00Z", ["2026-12-11T00:00", "2026-12-13T00:00", "2026-12-18T00:00"]),
        ("30 6 31 2 1", "2026-01-01T00:00Z", ["2026-02-02T06:30", "2026-02-09T06:30", "2026-02-16T06:30"]),
        ("0 0 29 2 *", "2097-01-01T00:00Z", ["2104-02-29T00:00", "2108-02-29T00:00", "2112-02-29T00:00"]),
        ("0 0 */13 * 5", "2026-11-01T00:00Z", ["2026-11-27T00:00", "2027-01-01T00:00"]),
        ("0 0 L * *", "2026-02-01T00:00Z", ["2026-02-28T00:00", "2026-03-31T00:00", "2026-04-30T00:00"]),
        ("0 0 LW * *", "2026-02-01T00:00Z", ["2026-02-27T00:00", "2026-03-31T00:00", "2026-04-30T00:00"]),
        ("0 0 * * 5#2", "2026-02-01T00:00Z", ["2026-02-13T00:00", "2026-03-13T00:00", "2026-04-10T00:00"]),
        ("59 23 31 dec 7", "2026-12-30T00:00Z", ["2026-12-31T23:59", "2027-12-05T23:59", "2027-12-12T23:59"]),
    ],
)
def test_days_of_month_and_week_follow_the_documented_rule_b19(expression, start, expected):
    """Either matches when both are given, both must when one begins with `*`; 2100 is no leap year."""
    assert after(Cron(expression), start, len(expected)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30 2 */2", "0 0 */29 2 1#5", "0 0 31 feb *",
    ],
)  # fmt: skip
def test_an_expression_that_can_never_fire_is_refused_b19(expression):
    """The refusal comes when it is read, not when it is asked for its next time."""
    with pytest.raises(ConfigError, match="never fires"):
        Cron(expression)


@pytest.mark.parametrize("expression", ["0 0 29 2 */7", "0 0 * 2 1#5", "0 0 31 2 1", "0 0 29 2 *"])
def test_an_expression_that_fires_seldom_is_accepted(expression):
    """A day that comes once in decades is no day that never comes."""
    assert Cron(expression).next_after(ms("2026-01-01T00:00Z")) is not None


@pytest.mark.parametrize(
    ("expression", "problems"),
    [
        ("*/90 * * * *", ["minute: a step of 90 is longer than all 60 values"]),
        ("0 */25 * * *", ["hour: a step of 25 is longer than all 24 values"]),
        ("0 0 * * * *", ["'0 0 * * * *' has 6 fields; it needs minute, hour, day of month, month and day of week"]),
        ("@daily", ["'@daily' has 1 fields; it needs minute, hour, day of month, month and day of week"]),
        (
            "60 24 0 13 8",
            [
                "minute: '60' is not understood",
                "hour: '24' is not understood",
                "day of month: '0' is not understood",
                "month: '13' is not understood",
                "day of week: '8' is not understood",
            ],
        ),
        ("5,,6 0 L/2 * 5l/2", ["minute: '5,,6' is not understood", "day of week: '5l/2' is not understood"]),
        ("*/0 0 30-20 foo-bar ²l", [
            "minute: '*/0' is not understood", "day of month: '30-20' is not understood",
            "month: 'foo-bar' is not understood", "day of week: '²l' is not understood",
        ]),
        ("1 " * 200, ["a cron expression has at most 255 characters"]),
    ],
)  # fmt: skip
def test_each_bad_field_is_named(expression, problems):
    """Every problem of an expression is said at once."""
    with pytest.raises(ConfigError) as caught:
        Cron(expression)
    assert caught.value.problems == problems


def test_months_and_years_keep_the_day_of_the_anchor():
    """The 31st becomes the last day of a shorter month, and is the 31st again afterwards."""
    monthly = Interval(1, "months", ms("2026-01-31T09:00:00.250Z"))
    assert after(monthly, "2026-01-31T09:00:00.250Z") == ["2026-02-28T09:00", "2026-03-31T09:00", "2026-04-30T09:00"]
    yearly = Interval(1, "years", ms("2024-02-29T09:00Z"))
    assert after(yearly, "2026-01-01T00:00Z", 2) == ["2026-02-28T09:00", "2027-02-28T09:00"]
    assert monthly.next_after(0) == monthly.anchor
    assert monthly.next_after(monthly.anchor - 1) == monthly.anchor


def test_occurrences_end_after_their_count_and_at_their_time():
    """IBM's occurrenceCount counts from the start, and endTime is the latest possible time."""
    start = ms("2026-01-01T00:00Z")
    for unit in ("hours", "weeks"):
        assert len(after(Interval(1, unit, start, count=3), "2025-01-01T00:00Z", 9)) == 3
    two = Interval(1, "days", start, last=ms("2026-01-02T00:00Z"))
    assert after(two, "2025-01-01T00:00Z", 9) == ["2026-01-01T00:00", "2026-01-02T00:00"]


@pytest.mark.parametrize("unit", ["days", "weeks", "months", "years"])
def test_an_interval_that_starts_at_a_skipped_time_keeps_that_time(unit):
    """02:30 of the last Sunday of March runs at 03:00, and all later ones at 02:30."""
    schedule = read_schedule({"every": f"1 {unit}", "start": "2026-03-29T02:30", "time_zone": "Europe/Amsterdam"}, "s")
    first, second = after(schedule, "2026-03-01T00:00Z", 2)
    assert first == "2026-03-29T01:00"
    assert second[10:] == "T00:30"
    assert schedule.next_after(schedule.anchor - 1) == schedule.anchor


def test_an_interval_may_start_when_the_clock_shows_its_time_for_the_second_time():
    """It starts then and not before, and each later time comes once, the first time that the clock shows it."""
    second = Interval(1, "days", ms("2026-10-25T01:30Z"), AMSTERDAM)
    for start in ("2026-10-24T00:00Z", "2026-10-25T00:10Z", "2026-10-25T01:00Z"):
        assert after(second, start, 2) == ["2026-10-25T01:30", "2026-10-26T01:30"]
    weekly = Interval(52, "weeks", ms("2026-10-25T01:30Z"), AMSTERDAM, Window(start=time(2), end=time(3)))
    assert after(weekly, "2026-10-24T00:00Z", 1) == ["2026-10-25T01:30"]
    assert after(Interval(1, "days", second.anchor, AMSTERDAM, count=1), "2026-10-24T00:00Z") == ["2026-10-25T01:30"]


def test_an_anchor_is_an_instant_of_its_local_time():
    """A local time beside an anchor that never shows it is refused."""
    with pytest.raises(ConfigError, match="the anchor is not 2026-03-29 02:30:00 in Europe/Amsterdam"):
        Interval(1, "days", ms("2026-03-29T01:30Z"), AMSTERDAM, local=datetime(2026, 3, 29, 2, 30))  # noqa: DTZ001


def test_the_first_run_of_an_interval_is_one_interval_after_its_anchor():
    """A Data Protector task that becomes runnable runs after its first interval, and then on that grid."""
    assert Interval(900, anchor=5_000).next_after(5_000) == 905_000


def test_a_window_that_opens_once_in_28_years_is_found_in_a_moment():
    """A Monday that is a 29 February: the days before it are walked through once, and not for every fortnight."""
    leap = Bound(29, 2)
    window = Window(days=frozenset({0}), start=time(1), end=time(2), first=leap, last=leap)
    began = process_time()
    assert after(Interval(1, "hours", anchor=1_800_000, window=window), "2026-06-01T00:00Z", 2) == [
        "2044-02-29T01:30", "2072-02-29T01:30",
    ]  # fmt: skip
    assert process_time() - began < 0.5


NOON = int(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    "schedule", [Interval(24, "hours", NOON), Interval(1, "days", NOON), Daily((time(12),))], ids=str
)
def test_a_schedule_that_never_meets_its_window_is_known_to_end_in_a_moment(schedule):
    """A daily time outside of the window's hours has no next time, and the search for one takes no ten seconds."""
    never = replace(schedule, window=Window(start=time(8), end=time(10)))
    began = process_time()
    assert never.next_after(NOON) is None
    assert process_time() - began < 2
    assert replace(schedule, window=Window(first=Bound(1, 1, 2090))).next_after(NOON) is not None


def test_a_window_of_one_day_a_year_is_found_without_walking_every_second():
    """An interval of a second in a window that is closed for a year gives the first second of the window."""
    window = Window(first=Bound(24, 12), last=Bound(24, 12), start=time(8))
    assert after(Interval(1, window=window), "2026-12-25T00:00Z", 1) == ["2027-12-24T08:00"]
    assert after(Cron("* * * * *", AMSTERDAM, window), "2026-12-25T00:00Z", 1) == ["2027-12-24T07:00"]
    assert after(Daily((time(7), time(9)), AMSTERDAM, window), "2026-12-25T00:00Z", 1) == ["2027-12-24T08:00"]


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        (Window(days=frozenset({0})), ["2026-11-30T23:59"], ["2026-11-29T12:00"]),
        (
            Window(days=frozenset({4}), start=time(22), end=time(6)),
            ["2026-11-27T22:00", "2026-11-28T05:59"],
            ["2026-11-27T05:00", "2026-11-28T06:00", "2026-11-28T22:00"],
        ),
        (
            Window(first=Bound(20, 12), last=Bound(10, 1)),
            ["2026-12-31T00:00", "2026-01-10T23:59"],
            ["2026-01-11T00:00", "2026-12-19T23:59"],
        ),
        (Window(first=Bound(25), last=Bound(5)), ["2026-01-31T00:00", "2026-02-05T00:00"], ["2026-02-06T00:00"]),
        (Window(last=Bound(None, 2)), ["2026-02-28T23:00", "2026-01-01T00:00"], ["2026-03-01T00:00"]),
        (
            Window(first=Bound(None, 3, 2026), last=Bound(None, None, 2026)),
            ["2026-03-01T00:00", "2026-12-31T23:59"],
            ["2026-02-28T00:00", "2027-01-01T00:00"],
        ),
        (Window(start=time(18)), ["2026-01-01T23:59"], ["2026-01-01T17:59"]),
    ],
)  # fmt: skip
def test_a_window_has_days_a_span_and_a_range_of_dates(window, inside, outside):
    """The words of Data Protector's window: over midnight, every year, every month, once."""
    local = datetime.fromisoformat
    assert all(window.contains(local(text)) for text in inside)
    assert not any(window.contains(local(text)) for text in outside)
    for text in outside:
        opening = window.opening(local(text))
        assert opening is None or window.contains(opening)


def test_a_window_that_has_passed_ends_a_schedule():
    """A range of dates that comes once leaves no next time afterwards."""
    window = Window(first=Bound(1, 3, 2026), last=Bound(2, 3, 2026))
    for schedule in (
        Cron("0 6 * * *", window=window),
        Daily((time(6),), window=window),
        Interval(6, "hours", window=window),
    ):
        assert after(schedule, "2020-01-01T00:00Z", 1)[0].startswith("2026-03-01")
        assert schedule.next_after(ms("2026-03-03T00:00Z")) is None


DOCUMENTS = [
    {"cron": "15 6 * * mon-fri", "time_zone": "Europe/Amsterdam"},
    {"daily": ["06:30", "18:00:30"], "window": {"days": ["mon", "sun"], "from": "06:00", "until": "19:00"}},
    {"every": "15m", "window": {"from": "22:00", "until": "02:00", "first": "12-01", "last": "02-29"}},
    {"every": "3 months", "start": "2026-03-29T02:30", "time_zone": "Europe/Amsterdam", "count": 4},
    {"every": "1 day", "start": "2026-03-01T06:00:00.125+00:00", "until": "2026-04-01T06:00"},
    {"cron": "0 0 * * *", "window": {"first": "2026-03-01", "last": "2026-03-31"}},
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_schedule_is_read_as_it_was_described(document):
    """A row of the database gives back the schedule of crossdock.yaml."""
    schedule = read_schedule(document, "x")
    assert read_schedule(describe(schedule), "y") == schedule


def test_bounds_without_a_day_are_stored_with_one():
    """A range to the end of February ends with its last day after it was stored too."""
    schedule = Daily((time(6),), window=Window(first=Bound(None, 2, 2026), last=Bound(None, 2, 2026)))
    again = read_schedule(describe(schedule), "x")
    assert after(again, "2026-02-26T12:00Z", 9) == after(schedule, "2026-02-26T12:00Z", 9)
    yearly = Daily((time(6),), window=Window(last=Bound(None, 2)))
    assert after(read_schedule(describe(yearly), "x"), "2028-02-28T12:00Z", 2) == [
        "2028-02-29T06:00",
        "2029-01-01T06:00",
    ]


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ("0 6 * * *", ["s: is a mapping with one of cron, every and daily"]),
        ({}, ["s: needs exactly one of cron, every and daily"]),
        ({"cron": "0 6 * * *", "every": "5m"}, ["s: needs exactly one of cron, every and daily"]),
        ({"cron": 5, "at": 1}, ["s.at: no such key beside cron", "s.cron: is a text of five fields, in quotes"]),
        (
            {"cron": "61 * 30 2 *", "time_zone": "Mars/Base", "window": {"days": ["tag"], "from": 480, "to": 1}},
            [
                "s.window.to: no such key",
                "s.time_zone: 'Mars/Base' is no time zone such as UTC or Europe/Amsterdam",
                "s.window.days: is a list of mon, tue, wed, thu, fri, sat, sun",
                's.window.from: is a time of the day such as "06:30", in quotes',
                "s.cron: minute: '61' is not understood",
            ],
        ),
        ({"daily": [1350, "24:00"]}, ['s.daily: is a time of the day such as "06:30", in quotes'] * 2),
        ({"daily": []}, ["s.daily: at least one time of the day is needed"]),
        (
            {"every": "0.5s"},
            ["s.every: is a duration of whole seconds such as 15m or 24h, or a text such as `3 months`"],
        ),
        ({"every": "0s"}, ["s.every: an interval is 1 to 1000000000 seconds"]),
        ({"every": "5m", "count": True, "start": "soon"}, [
            's.start: is a time such as "2026-03-01T06:00", in quotes', "s.count: is a whole number",
        ]),
        (
            {"every": "5m", "time_zone": "Europe"},
            ["s.time_zone: 'Europe' is no time zone such as UTC or Europe/Amsterdam"],
        ),
        ({"every": "5m", "time_zone": None}, ["s.time_zone: is the name of a time zone such as Europe/Amsterdam"]),
        ({"daily": "06:00", "window": {"from": "06:00", "until": "06:00", "days": []}}, [
            "s.window.days: is a list of mon, tue, wed, thu, fri, sat, sun",
        ]),
        ({"daily": "06:00", "window": {"from": "06:00", "until": "06:00"}}, [
            "s.window: the span of the day begins and ends at the same time",
        ]),
        ({"daily": "06:00", "window": {"first": "2026-03-02", "last": "2026-03-01"}}, ["s.window: it never opens"]),
        ({"daily": "06:00", "window": {"first": "2026-03-02", "last": "03-01"}}, [
            "s.window: first and last: both with a year, both with a month and no year, or both with a day alone",
        ]),
        ({"daily": "06:00", "window": {"first": "02-30", "last": 32}}, [
            "s.window: first: is no date", "s.window: last: 32 is no day of a month",
            "s.window: first and last: both with a year, both with a month and no year, or both with a day alone",
        ]),
    ],
)  # fmt: skip
def test_every_problem_of_a_schedule_is_named_by_its_path(document, problems):
    """One error says all of them."""
    with pytest.raises(ConfigError) as caught:
        read_schedule(document, "s")
    assert sorted(caught.value.problems) == sorted(problems)


def test_the_end_of_the_calendar_is_no_error():
    """After the year 9999 there is no next time."""
    end = int(datetime(9999, 12, 31, 23, 59, tzinfo=UTC).timestamp()) * 1000
    for schedule in (Cron("0 0 1 1 *"), Daily((time(6),)), Interval(1, "years"), Interval(24, "hours")):
        assert schedule.next_after(end) is None
    late = Interval(1, "days", end, time_zone("Pacific/Apia"), Window(start=time(1)))
    assert late.next_after(end - 1) is None
