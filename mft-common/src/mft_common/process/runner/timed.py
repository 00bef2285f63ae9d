"""Give the child of a handle a longest time: it is killed when that is over."""

import time

from mft_common.process.runner.handle import End, Handle


class TimedHandle:
    """A child that may run for `seconds` from now on; `poll` kills it once they are over.

    A killed child keeps its place in the pool until its process has ended: one that waits for a disk which is gone does
    not end, and another child for each later try would leave no place for other work.
    """

    def __init__(self, handle: Handle, seconds: float) -> None:
        self._handle = handle
        self._until = time.monotonic() + seconds
        self._overdue = False

    @property
    def overdue(self) -> bool:
        """True once `poll` has killed the child."""
        return self._overdue

    def poll(self) -> End | None:
        """Return how the child ended, None while it runs."""
        end = self._handle.wait(0)
        if end is None and not self._overdue and time.monotonic() >= self._until:
            self._overdue = True
            self._handle.kill()
        return end

    def kill(self) -> None:
        """Kill the child; see Handle."""
        self._handle.kill()
