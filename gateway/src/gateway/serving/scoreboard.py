"""Count in shared memory how many connections each process has, so that the processes share new ones evenly.

The system wakes every process for a new connection, and the first one gets it. Of clients that come together and stay,
one process would get most, and the other processors would have nothing to do.
"""

import mmap
from typing import Final

_SLOTS: Final = 256
_BYTES: Final = 8


class Scoreboard:
    """Memory that is shared by processes forked after it was made: a slot each, 0 in those of no process."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, _SLOTS * _BYTES)).cast("q")

    def slot(self, number: int) -> "Slot":
        """Return the slot of a process; `number` wraps around."""
        return Slot(self._counts, number % _SLOTS)


class Slot:
    """One process's count, and its view of the others."""

    def __init__(self, counts: memoryview, index: int) -> None:
        self._counts = counts
        self._index = index
        self._released = False

    def publish(self, connections: int) -> None:
        """Set how many connections this process has; does nothing once the slot was released."""
        if not self._released:
            self._counts[self._index] = connections + 1

    def release(self) -> None:
        """Clear the count for good: the process has ended, or accepts no more connections."""
        self._released = True
        self._counts[self._index] = 0

    def others_have_fewer(self, connections: int) -> bool:
        """Return whether a process has at least two connections fewer, and should get the next one."""
        return any(0 < count < connections for count in self._counts)
