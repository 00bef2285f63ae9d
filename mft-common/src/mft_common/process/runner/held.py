"""Let a child write nothing for long without its worker's word that the work is still the worker's."""

import time

from mft_common.process.runner.channel import Channel


class HeldInterrupt:
    """The request to stop a piece of work, which is looked at before each block that is written.

    A worker that was frozen past its lease has lost the work, and another worker may write the same unfinished file. So
    the worker is asked by a message of `kind`, once more than `every` seconds have passed since it was asked last: one
    that has lost the lease kills this process instead of an answer. What it answers has no meaning.
    """

    def __init__(self, channel: Channel, kind: str, every: float) -> None:
        self._channel = channel
        self._kind = kind
        self._every = every
        self._asked = time.monotonic()

    def is_set(self) -> bool:
        """Return True once the work must stop."""
        if time.monotonic() - self._asked > self._every:
            self._channel.ask(self._kind)
            self._asked = time.monotonic()
        return self._channel.interrupt.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for the request; return whether it is set."""
        return self._channel.interrupt.wait(timeout)
