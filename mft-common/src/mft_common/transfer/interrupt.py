"""Declare the request to stop a transfer."""

from typing import Protocol


class Interrupt(Protocol):
    """The request to stop a transfer; a threading.Event is one."""

    def is_set(self) -> bool:
        """Return True once the transfer must stop."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for the request; return whether it is set."""
        ...
