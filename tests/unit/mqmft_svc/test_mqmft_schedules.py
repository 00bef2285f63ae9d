"""Times of scheduled transfers: what a body may say, and five zones against a reference of minutes (174-176, 236)."""

import functools
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest

from mft_common import clock
from mft_common.schedules import time_zone
from mqmft_svc.domain.schedules import ScheduleRequest, plan, shown
from mqmft_svc.domain.submissions import Submission
from mqmft_svc.errors import BodyInvalid
from mqmft_svc.schemas.submissions import submission

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
BODY = {
    "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
    "destinationAgent": {"name": "YARD", "qmgrName": "QM1"},
    "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]},
}
# A zone, and both days of a year on which its clock changes: by an hour, by half an hour, at midnight.
CHANGES = [
    ("Europe/Amsterdam", "2026-03-29", "2026-10-25"),
    ("America/New_York", "2026-03-08", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05", "2026-10-04"),
    ("America/Santiago", "2026-04-05", "2026-09-06"),
    ("Africa/Cairo", "2026-04-24", "2026-10-29"),
]
DAYS = [(name, day) for name, *days in CHANGES for day in days]
TIMES = ["00:00", "00:30", "01:45", "02:00", "02:30", "03:00", "23:15", "23:59"]


def ms(text):
    return clock.parse_iso(text)


def request(start, **values):
    """Return the schedule of a body."""
    return submission({**BODY, "scheduleTransfer": {"startTime": start, **values}}).schedule


def refused(given, zone="UTC", now="2026-01-01T00:00Z"):
    """Return the attribute that is refused, and the reason."""
    with pytest.raises(BodyInvalid) as caught:
        plan(given, time_zone(zone), ms(now))
    return caught.value.words["name"], caught.value.words["reason"]


def runs(found, count, until="9998-01-01T00:00Z"):
    """Return the first times of a plan."""
    times, at = [found.first], found.first
    while found.repeats is not None and len(times) < count and (at := found.repeats.next_after(at)) is not None:
        times.append(at)
    return [clock.iso(at)[:16] for at in times if at < ms(until)]


@functools.cache
def minutes_of(name, day):
    """Return each minute around a day: milliseconds, local time, the local times that were skipped at it."""
    zone, found, before = time_zone(name), [], None
    begin = ms(f"{day}T00:00Z") - 3 * DAY
    for at in range(begin, begin + 8 * DAY, MINUTE):
        local = datetime.fromtimestamp(at // 1000, zone).replace(tzinfo=None, fold=0)
        gap = 0 if before is None else int((local - before).total_seconds()) // 60
        found.append((at, local, [before + timedelta(minutes=number) for number in range(1, gap)]))
        before = local
    return found


@pytest.mark.parametrize("text", TIMES)
@pytest.mark.parametrize(("name", "day"), DAYS)
def test_174_236_a_time_of_the_day_is_the_next_minute_that_shows_it(name, day, text):
    """Items 174 and 236: from each 20 minutes around a change; a skipped time is the first minute after the gap."""
    wanted, zone = time.fromisoformat(text), time_zone(name)
    shows = [
        at
        for at, local, skipped in minutes_of(name, day)
        if local.time() == wanted or any(one.time() == wanted for one in skipped)
    ]
    begin = ms(f"{day}T00:00Z") - 2 * DAY
    for now in range(begin, begin + 4 * DAY, 20 * MINUTE):
        for moment in (now - 1, now, now + 1):
            expected = next(at for at in shows if at > moment)
            assert plan(request(text), zone, moment).first == expected, clock.iso(moment)


@pytest.mark.parametrize("text", TIMES)
@pytest.mark.parametrize(("name", "day"), DAYS)
def test_176_236_each_day_has_one_run_at_the_local_time(name, day, text):
    """Items 176 and 236: a skipped time runs at the next minute that exists, a doubled one the first time alone."""
    zone, wanted = time_zone(name), time.fromisoformat(text)
    expected, seen = [], set()
    for at, local, skipped in minutes_of(name, day):
        hits = [one for one in (local, *skipped) if one.time() == wanted and one not in seen]
        seen.update(hits)
        expected += [at] if hits else []
    for first in range(3):
        start = (datetime.fromisoformat(day) + timedelta(days=first - 2)).strftime(f"%Y-%m-%dT{text}")
        found = plan(request(start, occurrenceInterval="days"), zone, ms(f"{day}T00:00Z") - 3 * DAY)
        assert found.first in expected
        rest = [at for at in expected if at >= found.first][:4]
        assert runs(found, 4) == [clock.iso(at)[:16] for at in rest], start


@pytest.mark.parametrize(("name", "day"), DAYS)
def test_176_hours_and_minutes_are_time_that_passes(name, day):
    """Item 176: neither an hour more nor an hour less between two runs where the clock changes."""
    begin = ms(f"{day}T00:00Z") - DAY
    found = plan(request("23:15", occurrenceInterval="hours", occurrenceFrequency=5), time_zone(name), begin)
    times = [ms(f"{text}Z") for text in runs(found, 12)]
    assert {later - earlier for earlier, later in pairwise(times)} == {5 * 60 * MINUTE}


@pytest.mark.parametrize(
    ("start", "values", "expected"),
    [
        ("2026-01-31T09:00", {"occurrenceInterval": "months"},
         ["2026-01-31T09:00", "2026-02-28T09:00", "2026-03-31T09:00", "2026-04-30T09:00"]),
        ("2026-01-30T09:00", {"occurrenceInterval": "months", "occurrenceFrequency": 13},
         ["2026-01-30T09:00", "2027-02-28T09:00", "2028-03-30T09:00", "2029-04-30T09:00"]),
        ("2028-02-29T09:00", {"occurrenceInterval": "years"},
         ["2028-02-29T09:00", "2029-02-28T09:00", "2030-02-28T09:00", "2031-02-28T09:00"]),
        ("2026-01-31T09:00", {"occurrenceInterval": "weeks", "occurrenceFrequency": 2},
         ["2026-01-31T09:00", "2026-02-14T09:00", "2026-02-28T09:00", "2026-03-14T09:00"]),
        ("2026-01-31T09:00", {"occurrenceInterval": "minutes", "occurrenceFrequency": 90, "occurrenceCount": 2},
         ["2026-01-31T09:00", "2026-01-31T10:30"]),
        ("2026-01-31T09:00", {"occurrenceInterval": "days", "occurrenceCount": 1}, ["2026-01-31T09:00"]),
        ("2026-01-31T09:00", {"occurrenceInterval": "hours", "endTime": "2026-01-31T11:00"},
         ["2026-01-31T09:00", "2026-01-31T10:00", "2026-01-31T11:00"]),
        ("2026-01-31T09:00", {"occurrenceInterval": "hours", "occurrenceCount": 9, "endTime": "2026-01-31T10:59"},
         ["2026-01-31T09:00", "2026-01-31T10:00"]),
        ("2026-01-31T09:00", {"occurrenceInterval": "years", "occurrenceFrequency": 1_000_000_000},
         ["2026-01-31T09:00"]),
        ("9998-12-31T23:59", {"occurrenceInterval": "minutes", "endTime": "9998-12-31T23:59"}, ["9998-12-31T23:59"]),
    ],
)  # fmt: skip
def test_176_occurrences_end_after_their_count_and_at_their_time(start, values, expected):
    """Item 176: a month without the day of the start runs on its last day, and the next one on that day again."""
    found = plan(request(start, **values), time_zone("UTC"), ms("2026-01-01T00:00Z"))
    assert runs(found, 4, "9999-01-01T00:00Z") == expected


def test_174_a_start_in_the_past_is_refused():
    """Item 174: by a minute, and by the seconds of the minute that has begun; the very moment has not passed."""
    name = "scheduleTransfer.startTime"
    given = request("2026-06-01T06:00")
    assert refused(given, now="2026-06-01T06:00:00.001Z") == (name, "2026-06-01T06:00 has passed in UTC.")
    assert refused(given, "Europe/Amsterdam", "2026-06-01T04:01Z")[0] == name
    assert plan(given, time_zone("UTC"), ms("2026-06-01T06:00Z")).first == ms("2026-06-01T06:00Z")
    assert plan(given, time_zone("America/New_York"), ms("2026-06-01T06:01Z")).first == ms("2026-06-01T10:00Z")


def test_174_a_doubled_start_whose_first_time_has_passed_is_its_second():
    """Items 174 and 236: it runs once, the first time if that is ahead, and later occurrences come once each."""
    given, zone = request("2026-10-25T02:30", occurrenceInterval="days"), time_zone("Europe/Amsterdam")
    assert runs(plan(given, zone, ms("2026-10-25T00:00Z")), 2) == ["2026-10-25T00:30", "2026-10-26T01:30"]
    assert runs(plan(given, zone, ms("2026-10-25T00:31Z")), 2) == ["2026-10-25T01:30", "2026-10-26T01:30"]
    assert refused(given, "Europe/Amsterdam", "2026-10-25T01:31Z")[0] == "scheduleTransfer.startTime"


@pytest.mark.parametrize("text", [
    "2026-02-30T06:00", "2026-13-01T06:00", "0000-01-01T00:00", "0001-01-01T00:00", "9999-12-31T23:59",
])  # fmt: skip
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
def test_174_a_date_that_is_none_is_refused(zone, text):
    """Items 110, 174 and 176: the ends of the calendar too, in every zone, and of an end as well as of a start."""
    assert refused(request(text), zone)[0] == "scheduleTransfer.startTime"
    given = request("06:00", occurrenceInterval="days", endTime=text)
    assert refused(given, zone)[0] == "scheduleTransfer.endTime"


@pytest.mark.parametrize("text", [
    "", "6:00", "24:00", "06:60", "06:00:00", "2026-03-01 06:00", "2026-03-01T06:00Z", "2026-03-01T06:00:00",
    "2026-03-01T24:00", "2026-3-1T06:00", "06:00\n", "2026-03-01T06:00\n", "\u0660\u0666:\u0660\u0660", "tomorrow",
])  # fmt: skip
def test_174_a_time_has_one_of_two_forms(text):
    """Items 174 and 176: `yyyy-MM-ddThh:mm` or `hh:mm`, of 24 hours; an end is a date and a time."""
    for start, values in ((text, {}), ("06:00", {"occurrenceInterval": "days", "endTime": text})):
        with pytest.raises(BodyInvalid) as caught:
            request(start, **values)
        assert caught.value.words["name"] == f"scheduleTransfer.{'endTime' if values else 'startTime'}"
    with pytest.raises(BodyInvalid):
        request("06:00", occurrenceInterval="days", endTime="06:00")


@pytest.mark.parametrize("name", ["occurrenceFrequency", "occurrenceCount"])
@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, 1_000_000_001])
def test_176_177_frequency_and_count_are_whole_numbers(name, value):
    """Items 176 and 177: of no other type, and from 1 on."""
    with pytest.raises(BodyInvalid) as caught:
        request("06:00", occurrenceInterval="days", **{name: value})
    assert caught.value.words["name"] == f"scheduleTransfer.{name}"


def test_176_an_end_before_the_start_is_refused():
    """Item 176: at the start there is one occurrence."""
    day = datetime(2026, 6, 1, 6, tzinfo=UTC)
    given = request("2026-06-01T06:00", occurrenceInterval="days", endTime="2026-06-01T05:59")
    assert refused(given) == ("scheduleTransfer.endTime", "it is before the start.")
    given = request("2026-06-01T06:00", occurrenceInterval="days", endTime="2026-06-01T06:00")
    assert runs(plan(given, time_zone("UTC"), int(day.timestamp()) * 1000), 9) == ["2026-06-01T06:00"]


def test_154_null_is_absent_and_the_rest_is_the_default():
    """Items 154, 175, 176: the hub's zone, and every one of the interval."""
    nothing = dict.fromkeys(("timeBase", "occurrenceInterval", "occurrenceFrequency", "occurrenceCount", "endTime"))
    assert request("06:00", **nothing) == ScheduleRequest(start="06:00")
    assert request("06:00", occurrenceInterval="days") == ScheduleRequest(start="06:00", interval="days", frequency=1)
    assert submission({**BODY, "scheduleTransfer": None}).schedule is None


def test_a_submission_with_a_schedule_is_stored_and_read():
    """Plain data of it gives the same one; that of an earlier version has none."""
    made = submission({**BODY, "scheduleTransfer": {"startTime": "06:00", "occurrenceInterval": "days"}})
    assert Submission.from_json(made.to_json()) == made
    plain = made.to_json()
    del plain["schedule"]
    assert Submission.from_json(plain).schedule is None


def test_a_time_is_shown_with_its_zone():
    """235: the description says for when, as the clock of the zone shows it."""
    assert shown(ms("2026-03-29T01:00Z"), time_zone("Europe/Amsterdam")) == "2026-03-29 03:00 Europe/Amsterdam"
