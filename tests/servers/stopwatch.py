"""Count the time for which this machine did its work, to hold the product to a number of seconds on a busy one."""

import os
import tempfile
import threading
import time
import weakref

_PAUSE_S = 0.01
_WORK_S = 0.003
# What a step takes on an idle machine.
_STEP_S = 0.0137


class Stopwatch:
    """Counts seconds from its making until nothing refers to it, without those for which the machine stood still.

    It takes step after step, each of a pause, a little work and a write that reaches the disk, and counts for each what
    it takes on an idle machine. What takes long for another reason than the load of processors or disk shows in full.
    """

    def __init__(self) -> None:
        self._counter = _Counter()
        # The thread refers to the counter alone.
        weakref.finalize(self, self._counter.over.set)
        threading.Thread(target=self._counter.run, daemon=True).start()

    @property
    def seconds(self) -> float:
        """The seconds since it was made."""
        return self._counter.steps * _STEP_S


class _Counter:
    """The steps that were taken."""

    def __init__(self) -> None:
        self.steps = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Take steps until it is over."""
        with tempfile.TemporaryFile() as file:
            while not self.over.wait(_PAUSE_S):
                until = time.thread_time() + _WORK_S
                while time.thread_time() < until:
                    pass
                os.pwrite(file.fileno(), b"x", 0)
                os.fdatasync(file.fileno())
                self.steps += 1
