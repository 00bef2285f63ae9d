"""Lengthen the pauses between attempts while they fail, and begin anew after a time of success."""

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

N = TypeVar("N", int, float)

# Beyond it no power is computed: the longest pause is reached long before.
_MOST_STEPS: Final = 60


def pause_after(failures: int, first: N, most: N, *, factor: int = 2) -> N:
    """Return the pause after the `failures`-th failure in a row: `first`, then `factor` times the last, at most `most`.

    For work whose number of failures is stored, in the unit of time of the arguments.
    """
    grown: int = factor ** min(max(failures, 1) - 1, _MOST_STEPS)
    return min(first * grown, most)


def delays(first: N, most: N, tries: int) -> Iterator[N]:
    """Yield the pauses between `tries` attempts: one fewer than attempts, each twice the last, at most `most`."""
    for failures in range(1, tries):
        yield pause_after(failures, first, most)


class Backoff:
    """Pauses in seconds: `first`, then each twice the last, at most `most`.

    After an attempt that lasted for `steady` seconds the next pause is `first` again: that failure is a new one.
    """

    def __init__(
        self, first: float, most: float, *, steady: float = 60.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._first = first
        self._most = most
        self._steady = steady
        self._now = now
        self._failures = 0
        self._began = now()

    def begin(self) -> None:
        """Note that an attempt begins."""
        self._began = self._now()

    def reset(self) -> None:
        """Begin with the first pause again: an attempt succeeded."""
        self._failures = 0

    def pause(self) -> float:
        """Return how long to wait after the attempt that has just failed."""
        if self._now() - self._began >= self._steady:
            self.reset()
        self._failures += 1
        return pause_after(self._failures, self._first, self._most)
