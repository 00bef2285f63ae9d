"""End the delivery of a file that takes too long."""

import time

from mft_common.transfer import Interrupt


class TimeLimit:
    """A request to stop that is also set once a file has taken too long; None for no limit."""

    def __init__(self, stop: Interrupt, seconds: float | None) -> None:
        self._stop = stop
        self._until = None if seconds is None else time.monotonic() + seconds

    def is_over(self) -> bool:
        """Return whether the file has taken too long."""
        return self._until is not None and time.monotonic() > self._until

    def is_set(self) -> bool:
        """Return whether the delivery is to end."""
        return self.is_over() or self._stop.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; return whether the delivery is to end."""
        if self._until is not None:
            left = max(self._until - time.monotonic(), 0.0)
            timeout = left if timeout is None else min(timeout, left)
        return self._stop.wait(timeout) or self.is_over()
