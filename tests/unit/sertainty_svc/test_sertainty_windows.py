"""Windows of schedules and rules: their leaves, and the local times that lie inside."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.schedules import Daily
from sertainty_svc.domain.schedules import times_of
from sertainty_svc.domain.tasks import TaskSchedule
from sertainty_svc.domain.windows import DAYS, Edge, Window
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.leaves import Leaves
from sertainty_svc.schemas.windows import WINDOW_LEAVES, read_window, read_zone

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def leaves(**values):
    """Return the leaves of a Schedule with these children."""
    root = ET.Element("Schedule")
    for tag, value in values.items():
        ET.SubElement(root, tag).text = str(value)
    return Leaves(root, "Schedule")


def ms(moment):
    return int(moment.timestamp() * 1000)


def is_open(window, moment, zone="UTC"):
    return window.is_open(ms(moment), zone)


def test_105_a_window_without_leaves_is_always_open():
    """Item 105: every leaf may be missing, and numbers are any by default."""
    window = read_window(leaves())
    assert window == Window() == read_window(leaves(**dict.fromkeys(("StartHour", "EndYear", "EndDay"), -1)))
    assert window.restriction is None
    assert read_zone(leaves()) == "UTC"


def test_105_hours_and_minutes_are_a_span_of_each_day():
    """Item 105: from the start, inclusive, to the end, exclusive."""
    window = read_window(leaves(StartHour=8, StartMinute=30, EndHour=18))
    for minutes, inside in ((509, False), (510, True), (1079, True), (1080, False)):
        assert is_open(window, MONDAY + timedelta(minutes=minutes)) is inside


def test_105_a_span_crosses_midnight_when_its_end_is_earlier():
    """Item 105: the part after midnight belongs to the day on which it began."""
    window = read_window(leaves(StartHour=22, EndHour=6, **{f"Day{day}": "false" for day in DAYS if day != "Monday"}))
    for hours, inside in ((5, False), (21, False), (22, True), (29, True), (30, False), (46, False)):
        assert is_open(window, MONDAY + timedelta(hours=hours)) is inside


@pytest.mark.parametrize(
    ("given_leaves", "inside", "outside"),
    [
        ({"StartDay": 10, "EndDay": 12}, [(2026, 3, 10), (2031, 7, 12)], [(2026, 3, 9), (2026, 3, 13)]),
        (
            {"StartDay": 24, "StartMonth": 12, "EndDay": 2, "EndMonth": 1},
            [(2026, 12, 24), (2027, 1, 2), (2040, 12, 31)],
            [(2026, 12, 23), (2027, 1, 3), (2027, 6, 1)],
        ),
        (
            {"StartDay": 1, "StartMonth": 2, "StartYear": 2026, "EndDay": 3, "EndMonth": 2, "EndYear": 2027},
            [(2026, 2, 1), (2026, 8, 1), (2027, 2, 3)],
            [(2026, 1, 31), (2027, 2, 4), (2028, 2, 2)],
        ),
    ],
    ids=["monthly", "yearly", "once"],
)
def test_105_dates_recur_yearly_without_a_year_and_monthly_with_a_day_alone(given_leaves, inside, outside):
    """Item 105: the dates of both ends are inclusive."""
    window = read_window(leaves(**given_leaves))
    assert all(is_open(window, datetime(*day, 23, 59, tzinfo=UTC)) for day in inside)
    assert not any(is_open(window, datetime(*day, tzinfo=UTC)) for day in outside)


def test_105_a_window_that_is_switched_off_is_always_open():
    """Item 105: Enabled false switches the window off, whatever its leaves say together."""
    window = read_window(leaves(Enabled="0", StartHour=8, EndHour=8, **{f"Day{day}": "0" for day in DAYS}))
    assert window.restriction is None
    assert is_open(window, MONDAY)


def test_105_the_clock_of_the_zone_decides():
    """Item 105: eight in Amsterdam is seven UTC in winter and six in summer."""
    window = read_window(leaves(StartHour=8, EndHour=9))
    for month, hour in ((1, 7), (7, 6)):
        assert is_open(window, datetime(2026, month, 6, hour, tzinfo=UTC), "Europe/Amsterdam")
        assert not is_open(window, datetime(2026, month, 6, hour - 1, 59, tzinfo=UTC), "Europe/Amsterdam")


@pytest.mark.parametrize(
    "wrong",
    [
        {"DayMonday": "yes"}, {"DayMonday": "True"}, {"DayMonday": ""}, {"Enabled": "2"}, {"StartHour": 24},
        {"StartHour": -2}, {"EndMinute": 60}, {"StartDay": 0}, {"StartDay": 32}, {"EndMonth": 13}, {"EndMonth": 0},
        {"StartYear": 0}, {"StartHour": "8.0"}, {"StartHour": "eight"}, {"StartHour": "\u0668"}, {"EndHour": ""},
        {"StartDay": 31, "StartMonth": 4}, {"StartYear": 2026, "StartDay": 1}, {"StartDay": 1, "EndMonth": 3},
        {"StartHour": 8, "EndHour": 8}, {f"Day{day}": "false" for day in DAYS},
        {"StartYear": 2027, "EndYear": 2026}, {"StartHour": "9" * 5000},
    ],
    ids=str,
)  # fmt: skip
def test_105_leaves_of_a_wrong_form_are_408(wrong):
    """Items 103 and 105: no boolean, no number, no date, and what never opens."""
    with pytest.raises(InvalidRequest, match=r"^Schedule"):
        read_window(leaves(**wrong))


@pytest.mark.parametrize("zone", ["Mars/Phobos", "../etc/passwd", "/etc/localtime", "\u20ac", "Europe", "UTC+1"])
def test_105_an_unknown_time_zone_is_408(zone):
    """Item 105: an IANA name, and no path."""
    with pytest.raises(InvalidRequest, match="TimeZone"):
        read_zone(leaves(TimeZone=zone))


def test_103_a_leaf_that_is_given_twice_or_holds_elements_is_408():
    """Item 103: also where both say the same."""
    root = ET.fromstring("<Schedule><StartHour>8</StartHour><Other/><StartHour>8</StartHour></Schedule>")
    with pytest.raises(InvalidRequest, match="StartHour is given twice"):
        read_window(Leaves(root, "Schedule"))
    root = ET.fromstring("<Schedule><StartHour>8<x/></StartHour></Schedule>")
    with pytest.raises(InvalidRequest, match="StartHour is no leaf"):
        read_window(Leaves(root, "Schedule"))


def test_101_the_names_of_the_leaves_are_those_that_are_read():
    """Items 101 and 105: a rule can tell leaves of a window from others."""
    assert len(WINDOW_LEAVES) == 2 + 7 + 10
    assert {"TimeZone", "Enabled", "DaySunday", "StartHour", "EndYear"} <= WINDOW_LEAVES


EDGES = st.builds(
    Edge,
    hour=st.none() | st.integers(0, 23),
    minute=st.none() | st.integers(0, 59),
    day=st.none() | st.integers(1, 28),
    month=st.none() | st.integers(1, 12),
)


@given(st.sets(st.sampled_from(DAYS)), EDGES, EDGES, st.integers(0, 4 * 366 * 1440))
def test_105_any_window_agrees_with_a_look_at_each_of_its_parts(days, start, end, minutes):
    """Item 105: hours, days of the week and dates of a window agree with the plainest reading of each."""
    window = Window(days=tuple(day for day in DAYS if day in days), start=start, end=end)
    if window.problems or window.restriction is None:
        return
    moment = MONDAY + timedelta(minutes=minutes)
    first = (start.hour or 0) * 60 + (start.minute or 0) if start.hour is not None else 0
    last = (end.hour * 60 + (end.minute or 0) if end.hour is not None else 0) or 1440
    minute = moment.hour * 60 + moment.minute
    opened = None
    if first <= minute < last or (last <= first <= minute):
        opened = moment
    elif last <= first and minute < last:
        opened = moment - timedelta(days=1)
    expected = opened is not None and has_day(window, opened)
    assert is_open(window, moment) is expected


def has_day(window, day):
    """Return whether a window opens on a day, by its days of the week and its dates."""
    if DAYS[(day.weekday() + 1) % 7] not in window.days:
        return False
    start, end = window.start, window.end
    monthly = start.month is None and end.month is None
    today = (0 if monthly else day.month, day.day)
    first = None if start.day is None and start.month is None else (start.month or 0, start.day or 1)
    last = None if end.day is None and end.month is None else (end.month or 0, end.day or 31)
    late, early = first is None or today >= first, last is None or today <= last
    return late or early if first and last and first > last else late and early


@given(st.builds(Window, start=EDGES, end=EDGES), st.times())
def test_105_a_time_of_the_day_lies_in_the_span_exactly_when_the_window_can_be_open_then(window, moment):
    """Item 105: a time outside of the span never runs, and one inside it runs on some day."""
    if window.problems:
        return
    moment = moment.replace(second=0, microsecond=0)
    schedule = times_of(TaskSchedule(at=(f"{moment:%H:%M}",), window=window), ms(MONDAY))
    assert (schedule is not None) == window.spans(moment)
    if schedule is not None:
        assert isinstance(schedule, Daily)
        assert schedule.next_after(ms(MONDAY)) is not None


def test_85_the_first_run_of_an_interval_is_one_interval_after_the_task_became_runnable():
    """Item 85: and then on that grid."""
    schedule = times_of(TaskSchedule(interval_s=900), ms(MONDAY))
    assert schedule.next_after(ms(MONDAY)) == ms(MONDAY) + 900_000
    assert schedule.next_after(ms(MONDAY) + 900_000) == ms(MONDAY) + 1_800_000
