"""Persist which blobs become durable before their row is committed, so that no sweep takes them for orphans."""

from collections.abc import Iterable

import sqlalchemy as sa

from filestore_svc.store.tables import staged_blobs

_C = staged_blobs.c


def add(connection: sa.Connection, fileset: int, process: str, lease_until: int) -> None:
    """Register a blob that is about to become durable."""
    connection.execute(sa.insert(staged_blobs).values(fileset=fileset, process=process, lease_until=lease_until))


def remove(connection: sa.Connection, fileset: int) -> bool:
    """Remove a registration, in the transaction that commits the blob's row; False when it is gone already."""
    return connection.execute(sa.delete(staged_blobs).where(_C.fileset == fileset)).rowcount == 1


def renew(connection: sa.Connection, process: str, now: int, lease_until: int) -> None:
    """Extend the leases of all registrations of a process; one that lapsed before `now` is never revived."""
    held = sa.update(staged_blobs).where(_C.process == process, _C.lease_until >= now)
    connection.execute(held.values(lease_until=lease_until))


def registered(connection: sa.Connection) -> Iterable[tuple[int, str, int]]:
    """Return fileset, process and lease of each registration."""
    return [(row.fileset, row.process, row.lease_until) for row in connection.execute(sa.select(staged_blobs))]
