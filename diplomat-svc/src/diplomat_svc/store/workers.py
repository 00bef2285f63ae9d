"""Keep which workers live: each renews its row, and takes it away when it says goodbye."""

from collections.abc import Sequence

import sqlalchemy as sa

from diplomat_svc.store.tables import workers

_C = workers.c


def sign_in(connection: sa.Connection, owner: str, until: int) -> None:
    """Add a worker whose lease runs until `until`."""
    connection.execute(sa.insert(workers).values(owner=owner, until=until))


def renew(connection: sa.Connection, owner: str, now: int, until: int) -> bool:
    """Move the end of a worker's lease; False once it has run out: whoever is late is dead for good."""
    mine = (_C.owner == owner, _C.until >= now)
    return connection.execute(sa.update(workers).where(*mine).values(until=until)).rowcount == 1


def sign_out(connection: sa.Connection, owner: str) -> None:
    """Take a worker's row away."""
    connection.execute(sa.delete(workers).where(_C.owner == owner))


def dead(connection: sa.Connection, now: int, *, all_of_them: bool) -> list[str]:
    """Return the workers whose lease ran out, or all where none can be alive."""
    late = sa.true() if all_of_them else _C.until < now
    return list(connection.execute(sa.select(_C.owner).where(late)).scalars())


def bury(connection: sa.Connection, owners: Sequence[str]) -> bool:
    """Take the rows of dead workers away; return whether no worker is left."""
    connection.execute(sa.delete(workers).where(_C.owner.in_(owners)))
    return connection.execute(sa.select(_C.owner).limit(1)).first() is None


def is_signed_in(connection: sa.Connection, owner: str) -> bool:
    """True when `owner` has a row."""
    return connection.execute(sa.select(_C.owner).where(_C.owner == owner)).first() is not None
