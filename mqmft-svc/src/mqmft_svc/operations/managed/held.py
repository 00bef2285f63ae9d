"""Let a child write nothing for long without its worker's word that the transfer is still the worker's."""

import time
from typing import Final

from mft_common.process.runner import Channel

HELD: Final = "transfer_held"


class HeldInterrupt:
    """The request to stop a transfer, which is looked at before each block that is written.

    A worker that was frozen past its lease has lost the transfer, and another worker may write the same unfinished
    file. So the worker is asked, once more than `every` seconds have passed since it was asked last: one that has lost
    the lease kills this process instead of an answer.
    """

    def __init__(self, channel: Channel, every: float) -> None:
        self._channel = channel
        self._every = every
        self._asked = time.monotonic()

    def is_set(self) -> bool:
        """Return True once the transfer must stop."""
        if time.monotonic() - self._asked > self._every:
            self._channel.ask(HELD)
            self._asked = time.monotonic()
        return self._channel.interrupt.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for the request; return whether it is set."""
        return self._channel.interrupt.wait(timeout)
