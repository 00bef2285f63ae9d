"""The bandwidth limit, against a clock that only waiting moves."""

import pytest

from mft_common.transfer.bandwidth import Bandwidth


class _Turning:
    """A clock and an interrupt in one: waiting moves the time, a little too far each time."""

    def __init__(self, overshoot=0.0):
        self.at = 0.0
        self.stopped = False
        self.overshoot = overshoot

    def now(self):
        return self.at

    def is_set(self):
        return self.stopped

    def wait(self, timeout=None):
        if not self.stopped:
            self.at += timeout + self.overshoot
        return self.stopped


@pytest.mark.parametrize("overshoot", [0.0, 0.02])
@pytest.mark.parametrize("rate", [100, 256 * 1024, 10 << 20])
def test_any_ten_seconds_hold_the_rate_within_five_percent(rate, overshoot):
    """Over each window of 10 s the bytes are within 5 % of the rate, also after a pause, also with coarse sleeping."""
    turning = _Turning(overshoot)
    bandwidth = Bandwidth(rate, turning.now)
    taken = []
    while turning.at < 60:
        bandwidth.take(bandwidth.block, turning)
        taken.append((turning.at, bandwidth.block))
        if len(taken) == 50:
            turning.at += 5.0
    for start in (0.0, taken[50][0], 20.0, 31.7, 45.0):
        window = sum(count for at, count in taken if start <= at < start + 10)
        assert window <= rate * 10 * 1.05
        if start > taken[50][0]:
            assert window >= rate * 10 * 0.95


def test_a_stop_ends_the_wait():
    """A transfer that waits for its rate stops at once when it is told to."""
    turning = _Turning()
    bandwidth = Bandwidth(1, turning.now)
    turning.stopped = True
    bandwidth.take(1 << 30, turning)
    assert turning.at == 0


def test_no_limit_never_waits():
    """Without a rate nothing is slowed down and blocks are large."""
    bandwidth = Bandwidth(None)
    bandwidth.take(1 << 40, _Turning())
    assert bandwidth.block == 1 << 20


def test_a_rate_of_nothing_is_a_mistake():
    """A rate of 0 would never end."""
    with pytest.raises(ValueError, match="rate"):
        Bandwidth(0)
