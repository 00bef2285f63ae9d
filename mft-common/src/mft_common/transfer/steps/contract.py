"""Declare the interface of a step, which the engine runs between reader and writer."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol


class Step(Protocol):
    """One transformation of one file, used by one thread: `feed` for each block, `finish` once, `close` always.

    A step raises TransferError and nothing else; one that may heal is a reason to begin the file anew, with new steps.
    The blocks that a step returns are at most `contract.BLOCK` bytes each; empty ones are passed over. A step that
    must see the whole file before it may release a byte (decryption, verification) returns nothing from `feed`, keeps
    its bytes in a private file and returns them from `finish`.
    """

    def feed(self, block: bytes) -> Iterable[bytes]:
        """Take the next bytes of the file and return those that are ready."""
        ...

    def finish(self) -> Iterable[bytes]:
        """Take the end of the file and return the rest; raise where the file as a whole is not acceptable."""
        ...

    def close(self) -> None:
        """End processes and remove private files, after a failure too; never raises."""
        ...


# What makes each step of a try, in the order in which the bytes pass them. Each step is made by a call of its own, so
# that the engine closes the ones before a step that cannot be made.
MakeSteps = Sequence[Callable[[], Step]]
