"""Count the time for which this machine did its work, to hold the product to a number of seconds on a busy one."""

import os
import subprocess
import sys
import tempfile
import weakref
from typing import IO

# What a step takes on an idle machine: its pause, its work, and a write that reaches the disk.
_STEP_S = 0.0137
# A process of its own: a thread would stand still, and not count, while the product keeps the interpreter busy.
_PROGRAM = """
import os, select, sys, time
steps = 0
while not select.select([0], [], [], 0.01)[0]:
    until = time.thread_time() + 0.003
    while time.thread_time() < until:
        pass
    steps += 1
    os.pwrite(1, steps.to_bytes(8, sys.byteorder), 0)
    os.fdatasync(1)
"""


class Stopwatch:
    """Counts seconds from its making until nothing refers to it, without those for which the machine stood still.

    A process takes step after step, each of a pause, a little work and a write that reaches the disk, and each counts
    as what it takes on an idle machine. What takes long for another reason than the load of all processors or of the
    disk shows in full.
    """

    def __init__(self) -> None:
        self._steps = tempfile.TemporaryFile()  # noqa: SIM115 -- closed when nothing refers to it
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=self._steps
        )
        weakref.finalize(self, _end, process, self._steps)

    @property
    def seconds(self) -> float:
        """The seconds since it was made."""
        return int.from_bytes(os.pread(self._steps.fileno(), 8, 0), sys.byteorder) * _STEP_S


def _end(process: subprocess.Popen[bytes], steps: IO[bytes]) -> None:
    # The end of its input ends it too, where this process is killed.
    process.kill()
    process.communicate()
    steps.close()
