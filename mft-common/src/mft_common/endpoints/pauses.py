"""Notice that the process was stopped between two calls, so that another one may have taken over what it does."""

import time
from typing import Final

# Seconds; leases are longer.
LONGEST_S: Final = 2.0


class Pauses:
    """The time between the calls of one thread."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def passed(self) -> bool:
        """Return whether more than `LONGEST_S` seconds have passed since the call before."""
        before, self._last = self._last, time.monotonic()
        return self._last - before > LONGEST_S
