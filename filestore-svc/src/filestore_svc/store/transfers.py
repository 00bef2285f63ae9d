"""Store the transfers that were announced and have not ended."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from filestore_svc.store.owned_rows import OwnedRows
from filestore_svc.store.tables import open_transfers

_C = open_transfers.c
# By the transfer's id.
owned = OwnedRows(_C.transfer_id)
_DELETE = sa.delete(open_transfers).where(_C.transfer_id == sa.bindparam("gone"))


@dataclass(frozen=True)
class OpenTransfer:
    """An announced transfer: its `head` is the data of its started event."""

    transfer_id: str
    process: str
    lease_until: int
    head: str
    request_id: str


def add(connection: sa.Connection, transfer: OpenTransfer) -> None:
    """Insert a transfer that was announced."""
    connection.execute(sa.insert(open_transfers).values(**vars(transfer)))


def end(connection: sa.Connection, transfer_id: str) -> bool:
    """Delete a transfer that ends; False where another process has ended it."""
    return connection.execute(_DELETE, {"gone": transfer_id}).rowcount == 1


def all_open(connection: sa.Connection) -> Collection[OpenTransfer]:
    """Return the open transfers of all processes."""
    return [OpenTransfer(*row) for row in connection.execute(sa.select(*open_transfers.columns))]
