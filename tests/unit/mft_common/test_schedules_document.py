"""The examples and rules of docs/schedules.md, as a reader tries them."""

import re
from pathlib import Path

import pytest
import yaml

from mft_common import clock
from mft_common.errors import ConfigError
from mft_common.schedules import read_schedule

DOCUMENT = (Path(__file__).parents[3] / "docs" / "schedules.md").read_text(encoding="utf-8")
EXAMPLES = [line for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_a_schedule_that_fires(example):
    """A line that is pasted into the configuration is read, and has a next time."""
    schedule = read_schedule(yaml.safe_load(example)["schedule"], "schedule")
    assert schedule.next_after(clock.parse_iso("2026-03-01T00:00:00Z"))


@pytest.mark.parametrize(
    ("named", "expression"),
    [
        ("*/90", "*/90 * * * *"),
        ("@daily", "@daily"),
        ("fri-sun", "0 0 * * fri-sun"),
        ("0 0 31 2 *", "0 0 31 2 *"),
    ],
)
def test_the_expressions_that_the_page_calls_refused_are_refused(named, expression):
    """Each is named on the page, in backquotes."""
    assert f"`{named}`" in DOCUMENT
    with pytest.raises(ConfigError):
        read_schedule({"cron": expression}, "schedule")


@pytest.mark.parametrize(
    ("document", "start", "expected"),
    [
        ({"cron": "30 2 * * *", "time_zone": "Europe/Amsterdam"}, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00.000Z"),
        ({"cron": "0 0 */2 * 1"}, "2026-01-06T00:00:00Z", "2026-01-19T00:00:00.000Z"),
        ({"every": "1 week"}, "2026-03-02T00:00:00Z", "2026-03-05T00:00:00.000Z"),
        ({"every": "1 month"}, "2026-03-02T00:00:00Z", "2026-04-01T00:00:00.000Z"),
        (
            {"every": "1d", "start": "2026-03-01T06:00", "time_zone": "Europe/Amsterdam"},
            "2026-03-28T12:00:00Z",
            "2026-03-29T05:00:00.000Z",
        ),
        (
            {"every": "1 day", "start": "2026-03-01T06:00", "time_zone": "Europe/Amsterdam"},
            "2026-03-28T12:00:00Z",
            "2026-03-29T04:00:00.000Z",
        ),
    ],
)
def test_the_times_that_the_page_names_are_the_ones_that_come(document, start, expected):
    """The skipped hour, both day fields, the default start, and days beside durations over a change of the clock."""
    assert clock.iso(read_schedule(document, "schedule").next_after(clock.parse_iso(start))) == expected
