"""Know which workers of a service are alive, by leases on their names; a clean stop deletes the lease."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import sqlalchemy as sa

from mft_common.database.engine import Database
from mft_common.database.leases import Lease, Leases
from mft_common.database.statements import Connection

K = TypeVar("K", bound=Hashable)

_PREFIX: Final = "worker/"


@dataclass(frozen=True)
class Lost(Generic[K]):
    """The pieces of work that no worker runs any more, with their owners, and the dead workers that are signed in."""

    pieces: Mapping[K, str | None]
    dead: Sequence[str]


class Workers:
    """The workers of one kind of a service, in its table of leases. A worker's name is new at each of its starts.

    `prefix` is that of the keys of their leases, which no other kind of the service has.
    """

    def __init__(self, leases: Leases, prefix: str = _PREFIX) -> None:
        self._leases = leases
        self._prefix = prefix

    def sign_in(self, connection: sa.Connection, owner: str, ttl: float) -> Lease:
        """Add a worker, whose name is new, with a lease of `ttl` seconds."""
        lease = self._leases.claim(connection, self._prefix + owner, owner, ttl)
        assert lease is not None
        return lease

    def renew(self, connection: sa.Connection, lease: Lease) -> bool:
        """Extend a worker's lease; False once it has expired: an expired worker is never revived."""
        return self._leases.renew(connection, lease)

    def is_alive(self, connection: Connection, lease: Lease) -> bool:
        """Return whether a worker's lease lasts."""
        return self._leases.lasts(connection, lease)

    def sign_out(self, connection: sa.Connection, lease: Lease) -> None:
        """Delete a worker's lease."""
        self._leases.forget(connection, lease.key)

    def find_dead(self, connection: sa.Connection, *, everyone: bool = False) -> list[str]:
        """Return the workers whose lease expired; with `everyone` all of them, because none can be alive."""
        return [
            key.removeprefix(self._prefix) for key in self._leases.lapsed(connection, self._prefix, everyone=everyone)
        ]

    def find_alive(self, connection: sa.Connection) -> set[str]:
        """Return the workers whose lease lasts."""
        # The lapsed ones first: a worker that signs in between the two statements is alive.
        lapsed = self.find_dead(connection)
        return set(self.find_dead(connection, everyone=True)).difference(lapsed)

    def find_lost(
        self,
        connection: sa.Connection,
        owners: Callable[[sa.Connection], Mapping[K, str | None]],
        *,
        exclusive: bool = False,
        owner: str = "",
        running: Collection[K] = (),
    ) -> Lost[K]:
        """Return what is lost of the pieces that run; `owners` returns those by their keys, each with its owner.

        That is every piece whose owner has no lease that lasts. `exclusive` says that no worker can be alive: on one
        machine, at the start of the only one. A piece of `owner`, the worker that asks, is lost too when it is not one
        of those `running`: the answer to its taking got lost, or its thread failed.
        """
        # The pieces first: the owner of one that runs now had signed in before.
        found = owners(connection)
        dead = self.find_dead(connection, everyone=exclusive)
        alive = set(self.find_dead(connection, everyone=True)).difference(dead)
        lost = {key: by for key, by in found.items() if by not in alive or (by == owner and key not in running)}
        return Lost(lost, dead)

    def take_over(
        self,
        database: Database,
        owners: Callable[[sa.Connection], Mapping[K, str | None]],
        again: Callable[[K, str | None], bool],
        *,
        exclusive: bool = False,
        owner: str = "",
        running: Collection[K] = (),
    ) -> int:
        """Call `again` with each lost piece and its owner, see `find_lost`, then forget the dead workers.

        `again` lets a piece run once more, in a transaction of its own, and returns whether it did: another worker may
        have been faster. Returns how many did.
        """
        with database.read() as connection:
            lost = self.find_lost(connection, owners, exclusive=exclusive, owner=owner, running=running)
        count = sum(again(key, by) for key, by in lost.pieces.items())
        if lost.dead:
            with database.write() as connection:
                self.remove_dead(connection, lost.dead)
        return count

    def remove_dead(self, connection: sa.Connection, owners: Sequence[str]) -> bool:
        """Delete the leases of dead workers; return whether no worker is left."""
        self._leases.forget(connection, *(self._prefix + owner for owner in owners))
        return not self._leases.any_owned(connection, self._prefix)

    def is_signed_in(self, connection: sa.Connection, owner: str) -> bool:
        """Return whether `owner` has a lease, lapsed or not."""
        return self._leases.owner(connection, self._prefix + owner) is not None
