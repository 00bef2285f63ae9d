"""Times as logs and summaries show them (58, A58)."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from diplomat_svc.domain.calendar import compact_time, long_time

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 3, 4, 0, 5, 9, tzinfo=NEW_YORK), "March 4, 2026 12:05:09 AM EST"),
        (datetime(2026, 12, 31, 12, 0, 0, tzinfo=NEW_YORK), "December 31, 2026 12:00:00 PM EST"),
        (datetime(2026, 7, 10, 23, 59, 59, tzinfo=NEW_YORK), "July 10, 2026 11:59:59 PM EDT"),
    ],
)
def test_a_time_has_the_english_month_and_the_zone(moment, shown):
    """Hours are 12, 1 to 11, with AM or PM; the zone's name follows the clock of the summer."""
    at = round(moment.timestamp() * 1000)
    assert long_time(at, NEW_YORK) == shown
    assert compact_time(at, NEW_YORK) == moment.strftime("%Y%m%d.%H%M%S")
