"""Store which workers are alive, as leases on their names; a clean stop deletes the lease."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from diplomat_svc.store.tables import LEASES
from mft_common.database.leases import Lease
from mft_common.database.statements import Connection

_PREFIX: Final = "worker/"


def sign_in(connection: sa.Connection, owner: str, ttl: float) -> Lease:
    """Add a worker, whose name is new, with a lease of `ttl` seconds."""
    lease = LEASES.claim(connection, _PREFIX + owner, owner, ttl)
    assert lease is not None
    return lease


def renew(connection: sa.Connection, lease: Lease) -> bool:
    """Extend a worker's lease; False once it has expired: an expired worker is never revived."""
    return LEASES.renew(connection, lease)


def is_alive(connection: Connection, lease: Lease) -> bool:
    """Return whether a worker's lease lasts."""
    return LEASES.lasts(connection, lease)


def sign_out(connection: sa.Connection, lease: Lease) -> None:
    """Delete a worker's lease."""
    LEASES.forget(connection, lease.key)


def find_dead(connection: sa.Connection, *, everyone: bool) -> list[str]:
    """Return the workers whose lease expired; with `everyone` all of them, because none can be alive."""
    return [key.removeprefix(_PREFIX) for key in LEASES.lapsed(connection, _PREFIX, everyone=everyone)]


def find_alive(connection: sa.Connection) -> set[str]:
    """Return the workers whose lease lasts."""
    # The lapsed ones first: a worker that signs in between the two statements is alive.
    lapsed = LEASES.lapsed(connection, _PREFIX)
    known = LEASES.lapsed(connection, _PREFIX, everyone=True)
    return {key.removeprefix(_PREFIX) for key in known if key not in lapsed}


def remove_dead(connection: sa.Connection, owners: Sequence[str]) -> bool:
    """Delete the leases of dead workers; return whether no worker is left."""
    LEASES.forget(connection, *(_PREFIX + owner for owner in owners))
    return not LEASES.any_owned(connection, _PREFIX)


def is_signed_in(connection: sa.Connection, owner: str) -> bool:
    """Return whether `owner` has a lease."""
    return LEASES.owner(connection, _PREFIX + owner) is not None
