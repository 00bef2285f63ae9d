"""Lengthen the pauses between attempts while they fail, and begin anew after a time of success."""

import time
from collections.abc import Callable


class Backoff:
    """Pauses in seconds: `first`, then each twice the last, at most `longest`.

    After an attempt that lasted for `steady` seconds the next pause is `first` again: that failure is a new one.
    """

    def __init__(
        self, first: float, longest: float, *, steady: float = 60.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._first = first
        self._longest = longest
        self._steady = steady
        self._now = now
        self._next = first
        self._began = now()

    def begin(self) -> None:
        """Note that an attempt begins."""
        self._began = self._now()

    def reset(self) -> None:
        """Begin with the first pause again: an attempt succeeded."""
        self._next = self._first

    def pause(self) -> float:
        """Return how long to wait after the attempt that has just failed."""
        if self._now() - self._began >= self._steady:
            self.reset()
        pause, self._next = self._next, min(self._next * 2, self._longest)
        return pause
