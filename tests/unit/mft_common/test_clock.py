import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common import clock


def test_iso_has_three_decimals_and_a_z():
    """A time is rendered in UTC with exactly three decimals."""
    assert clock.iso(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_iso_and_parse_iso_are_inverse(at):
    """Every millisecond comes back from its text."""
    assert clock.parse_iso(clock.iso(at)) == at


def test_parse_iso_takes_other_zones():
    """A time with an offset is the same moment in UTC."""
    assert clock.parse_iso("2026-01-01T01:00:00+01:00") == 1_767_225_600_000


def test_parse_iso_refuses_a_time_without_a_zone():
    """A time that could mean several moments is refused."""
    with pytest.raises(ValueError, match="no time zone"):
        clock.parse_iso("2026-01-01T00:00:00")
