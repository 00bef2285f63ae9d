"""Limit the rate at which the files of a job are moved."""

import threading
import time
from collections.abc import Callable

from mft_common.endpoints.contract import BLOCK
from mft_common.transfer.interrupt import Interrupt

# A burst of a fifth of a second is 2 % of any ten seconds; it makes up for sleeping a little too long.
_BURST_S = 0.2
_BLOCKS_PER_S = 20
_SMALLEST = 1 << 10


class Bandwidth:
    """A token bucket of `rate` bytes per second (None: no limit), shared by all its users."""

    def __init__(self, rate: int | None, now: Callable[[], float] = time.monotonic) -> None:
        if rate is not None and rate <= 0:
            raise ValueError("a rate is at least 1 byte per second")
        self.rate = rate
        self._now = now
        self._lock = threading.Lock()
        self._level = 0.0
        self._at = now()

    @property
    def block(self) -> int:
        """The number of bytes to move at once, small enough for a steady rate."""
        if self.rate is None:
            return BLOCK
        return max(min(BLOCK, self.rate // _BLOCKS_PER_S), min(_SMALLEST, self.rate))

    def take(self, count: int, interrupt: Interrupt) -> None:
        """Wait until `count` more bytes are within the rate; return early once `interrupt` is set."""
        if self.rate is None:
            return
        with self._lock:
            now = self._now()
            self._level = min(self._level + (now - self._at) * self.rate, self.rate * _BURST_S) - count
            self._at = now
            missing = -self._level / self.rate
        if missing > 0:
            interrupt.wait(missing)
