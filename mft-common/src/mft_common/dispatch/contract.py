"""Declare what a dispatcher asks of a service's work, and what it tells the processes of its pieces."""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import sqlalchemy as sa

from mft_common.database.leases import Lease

# The key of a piece of work: a number, or text.
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Limits:
    """How many pieces a worker runs at once, how long its lease lasts, and how long its own end waits for them (s)."""

    at_once: int
    lease: float
    stop_grace: float


@dataclass(frozen=True)
class StopRequest:
    """The request to end a running piece as `end`: between two steps, or with `now` by a kill of its child."""

    end: str
    now: bool = False


class Process(Protocol):
    """One attempt of a piece of work in a child.

    `end` is a word of the service for how the piece ends; the first one that is given counts.
    """

    def run(self) -> None:
        """Run the child; return once the end of the piece is stored, or the piece is no longer this worker's."""
        ...

    def stop(self, end: str) -> None:
        """Ask the child to stop between two steps."""
        ...

    def kill(self, end: str) -> None:
        """Kill the child."""
        ...

    def abandon(self, end: str) -> None:
        """Kill the child, and leave what takes time to whoever comes later: the worker itself ends."""
        ...


# Called with the key of a piece, the id of the request that it belongs to, and its process, which begins then.
Begin = Callable[[K, str, Process], None]


class Work(Protocol, Generic[K]):
    """The pieces of work of one service. Each has a key; one that runs has a worker as its owner."""

    @property
    def interrupted(self) -> str:
        """The end of a piece that the end of its worker interrupts."""
        ...

    @property
    def limits(self) -> Limits:
        """The limits, as of the last `refresh` or `take`."""
        ...

    def refresh(self, connection: sa.Connection) -> Limits:
        """Return the limits of the configuration that is in force."""
        ...

    def recover(self, *, exclusive: bool = False, owner: str = "", running: Collection[K] = ()) -> int:
        """End the pieces whose owner has no lease that lasts, and remove the leases of dead workers; return how many.

        `exclusive` says that no other worker can be alive. A piece of `owner`, the worker that asks, is lost too when
        it is not one of those `running`.
        """
        ...

    def prepare(self) -> None:
        """Clear away what dead workers have left; called after their work was recovered, before this one signs in."""
        ...

    def is_waiting(self) -> bool:
        """Return whether a piece can be taken; a cheap read."""
        ...

    def take(self, lease: Lease, begin: Begin[K]) -> bool:
        """Take the next piece for the worker of `lease`, and call `begin`; False where there was none.

        A piece that is refused at once counts as one.
        """
        ...

    def stop_requests(self, owner: str) -> Mapping[K, StopRequest]:
        """Return the requests to stop running pieces of a worker, by the keys of the pieces."""
        ...
