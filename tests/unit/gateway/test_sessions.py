from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import NEVER, Times

limits = st.none() | st.integers(1, 10**9)
moments = st.integers(0, 10**13)


def test_no_limits():
    """A session without limits never ends, and its uses are never written."""
    times = Times(None, None)
    assert times.expires_at(5) == NEVER
    assert not times.stale(0, NEVER - 1)


@given(idle=st.integers(1, 10**9), uses=st.lists(st.integers(0, 10**9), max_size=20))
def test_never_early(idle, uses):
    """As long as no pause between two uses is longer than the idle limit, the session lives."""
    times = Times(idle, None)
    seen = now = 0
    for pause in uses:
        now += min(pause, idle)
        assert now <= times.expires_at(seen)
        if times.stale(seen, now):
            seen = now


@given(idle=st.integers(1000, 10**9), now=moments)
def test_at_most_a_sixtieth_late(idle, now):
    """Uses that are not written lengthen a session by a sixtieth of its idle limit at most."""
    assert Times(idle, None).expires_at(now) - now - idle <= idle / 60


@given(idle=limits, absolute_at=moments, used_at=moments)
def test_absolute_stands(idle, absolute_at, used_at):
    """No use moves a session's end past its absolute limit."""
    assert Times(idle, absolute_at).expires_at(used_at) <= absolute_at


def test_uses_are_written_rarely():
    """With half an hour of idle time a use is written every thirty seconds."""
    times = Times(1_800_000, None)
    assert not times.stale(0, 29_999)
    assert times.stale(0, 30_000)
