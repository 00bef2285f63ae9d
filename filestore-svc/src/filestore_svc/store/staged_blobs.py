"""Persist which blobs become durable before their row is committed, so that no sweep takes them for orphans."""

import sqlalchemy as sa

from filestore_svc.store.owned_rows import OwnedRows
from filestore_svc.store.tables import staged_blobs

_C = staged_blobs.c
# By fileset.
owned = OwnedRows(_C.fileset)


def add(connection: sa.Connection, fileset: int, process: str, lease_until: int) -> None:
    """Register a blob that is about to become durable."""
    connection.execute(sa.insert(staged_blobs).values(fileset=fileset, process=process, lease_until=lease_until))


def remove(connection: sa.Connection, fileset: int) -> bool:
    """Remove a registration, in the transaction that commits the blob's row; False when it is gone already."""
    return connection.execute(sa.delete(staged_blobs).where(_C.fileset == fileset)).rowcount == 1
