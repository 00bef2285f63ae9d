from mft_common.backoff import Backoff, delays, pause_after
from tests.servers.clock import Clock


def test_pauses_double_up_to_the_longest() -> None:
    """Attempts that fail at once are made less and less often."""
    backoff = Backoff(1.0, 5.0, now=Clock())
    assert [backoff.pause() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_success_begins_anew() -> None:
    """After a success the next failure waits for the first pause only."""
    backoff = Backoff(1.0, 5.0, now=Clock())
    assert [backoff.pause(), backoff.pause()] == [1.0, 2.0]
    backoff.reset()
    assert backoff.pause() == 1.0


def test_an_attempt_that_lasted_begins_anew() -> None:
    """A failure after a minute of work is a new failure, and not the next of a row."""
    clock = Clock()
    backoff = Backoff(1.0, 5.0, steady=60.0, now=clock)
    assert [backoff.pause(), backoff.pause()] == [1.0, 2.0]
    backoff.begin()
    clock.at += 59.0
    assert backoff.pause() == 4.0
    backoff.begin()
    clock.at += 60.0
    assert backoff.pause() == 1.0


def test_the_pause_after_a_stored_number_of_failures_needs_no_earlier_call() -> None:
    """Rows count their failures, in whole milliseconds; a number that grew for years is no overflow."""
    assert [pause_after(failures, 500, 60_000) for failures in (0, 1, 2, 7, 8, 10**6)] == [
        500, 500, 1000, 32_000, 60_000, 60_000,
    ]  # fmt: skip
    assert [pause_after(failures, 200, 300_000, factor=4) for failures in (1, 2, 3, 9)] == [200, 800, 3200, 300_000]
    assert pause_after(10**6, 0.1, 5.0) == 5.0


def test_there_is_one_pause_between_two_attempts() -> None:
    """A single attempt has none."""
    assert list(delays(1.0, 3.0, 5)) == [1.0, 2.0, 3.0, 3.0]
    assert list(delays(1.0, 3.0, 1)) == []
