from mft_common.backoff import Backoff


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


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
