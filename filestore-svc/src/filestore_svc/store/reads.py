"""Store which process is reading which blob, so that no blob is deleted under a running download."""

from collections.abc import Collection

import sqlalchemy as sa

from filestore_svc.store.owned_rows import OwnedRows
from filestore_svc.store.tables import open_reads
from mft_common.database import advisory_lock

_C = open_reads.c
# By fileset; between machines a row counts until its lease ends.
owned = OwnedRows(_C.fileset)


def lock(connection: sa.Connection) -> None:
    """Let one transaction at a time change rows: a process that is late renews rows which another removes."""
    advisory_lock(connection, "filestore-svc reads")


def add(connection: sa.Connection, process: str, filesets: Collection[int], lease_until: int) -> None:
    """Add rows for the blobs that a process is reading."""
    if filesets:
        remove(connection, process, filesets)
        rows = [{"fileset": each, "process": process, "lease_until": lease_until} for each in filesets]
        connection.execute(sa.insert(open_reads), rows)


def remove(connection: sa.Connection, process: str, filesets: Collection[int]) -> None:
    """Remove the rows of blobs that a process is no longer reading."""
    if filesets:
        connection.execute(sa.delete(open_reads).where(_C.process == process, _C.fileset.in_(list(filesets))))


def renew(connection: sa.Connection, process: str, lease_until: int) -> int:
    """Extend all leases of a process, lapsed ones too; return how many it has."""
    return owned.renew(connection, process, 0, lease_until)


def forget(connection: sa.Connection, processes: Collection[str], *, before: int | None = None) -> None:
    """Remove the rows of these processes; with `before`, only those whose lease had ended by then."""
    lock(connection)
    late = sa.true() if before is None else _C.lease_until < before
    connection.execute(sa.delete(open_reads).where(_C.process.in_(list(processes)), late))
