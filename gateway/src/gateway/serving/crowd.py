"""Let the processes of one server know how many clients each of them has, so that they share them evenly.

The system wakes every process for a client that has connected, and whichever comes first gets it. Of clients that come
together and stay, one process would get most, and the other processors would have nothing to do.
"""

import mmap
from typing import Final

_SEATS: Final = 256
_BYTES: Final = 8


class Crowd:
    """Counts in memory that processes share which are forked after it was made: a seat each, 0 for nobody's."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, _SEATS * _BYTES)).cast("q")

    def seat(self, number: int) -> "Seat":
        """Return the seat of a process; numbers may be as large as they like."""
        return Seat(self._counts, number % _SEATS)


class Seat:
    """What one process tells, and what it sees of the others."""

    def __init__(self, counts: memoryview, place: int) -> None:
        self._counts = counts
        self._place = place
        self._left = False

    def tell(self, clients: int) -> None:
        """Say how many clients this process has; nothing is counted once it has left."""
        if not self._left:
            self._counts[self._place] = clients + 1

    def leave(self) -> None:
        """Count no more: the process has ended, or takes no more clients."""
        self._left = True
        self._counts[self._place] = 0

    def others_have_fewer(self, clients: int) -> bool:
        """Tell whether a process has at least two clients fewer, and would be better for the next one."""
        return any(0 < count < clients for count in self._counts)
