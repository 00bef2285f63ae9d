"""Store the workers and their leases; a clean stop deletes the row."""

from collections.abc import Sequence

import sqlalchemy as sa

from diplomat_svc.store.tables import workers

_C = workers.c


def sign_in(connection: sa.Connection, owner: str, until: int) -> None:
    """Add a worker whose lease runs until `until`."""
    connection.execute(sa.insert(workers).values(owner=owner, until=until))


def renew(connection: sa.Connection, owner: str, now: int, until: int) -> bool:
    """Extend a worker's lease; False once it has expired: an expired worker is never revived."""
    mine = (_C.owner == owner, _C.until >= now)
    return connection.execute(sa.update(workers).where(*mine).values(until=until)).rowcount == 1


def sign_out(connection: sa.Connection, owner: str) -> None:
    """Delete a worker's row."""
    connection.execute(sa.delete(workers).where(_C.owner == owner))


def find_dead(connection: sa.Connection, now: int, *, everyone: bool) -> list[str]:
    """Return the workers whose lease expired; with `everyone` all of them, because none can be alive."""
    expired = sa.true() if everyone else _C.until < now
    return list(connection.execute(sa.select(_C.owner).where(expired)).scalars())


def remove_dead(connection: sa.Connection, owners: Sequence[str]) -> bool:
    """Delete the rows of dead workers; return whether no worker is left."""
    connection.execute(sa.delete(workers).where(_C.owner.in_(owners)))
    return connection.execute(sa.select(_C.owner).limit(1)).first() is None


def is_signed_in(connection: sa.Connection, owner: str) -> bool:
    """Return whether `owner` has a row."""
    return connection.execute(sa.select(_C.owner).where(_C.owner == owner)).first() is not None
