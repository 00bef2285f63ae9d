"""Store which process owns a row and until when, in the same way for every table whose rows belong to processes.

The row is the fence: whoever ends or takes over its work deletes or changes the row in the same transaction, so that an
owner that wakes late finds it gone.
"""

from typing import Any, NamedTuple

import sqlalchemy as sa


class Owned(NamedTuple):
    """A row's key, the process that owns it, "" for none, and the end of its lease in ms of the clock of leases."""

    key: Any
    process: str
    lease_until: int


class OwnedRows:
    """The rows of the table of column `key`, which has the columns `process` and `lease_until`."""

    def __init__(self, key: sa.Column[Any], *only: sa.ColumnElement[bool]) -> None:
        self._table = key.table
        self._of_process = (self._table.c.process == sa.bindparam("owner"), *only)
        c = self._table.c
        self._owned = sa.select(key.label("key"), c.process, c.lease_until).where(c.process != "", *only)

    def renew(self, connection: sa.Connection, process: str, now: int, lease_until: int) -> int:
        """Extend the leases of a process and return of how many rows; one that lapsed before `now` is never revived."""
        held = sa.update(self._table).where(*self._of_process, self._table.c.lease_until >= now)
        return connection.execute(held.values(lease_until=lease_until), {"owner": process}).rowcount

    def all(self, connection: sa.Connection) -> list[Owned]:
        """Return the rows that have an owner."""
        return [Owned(*row) for row in connection.execute(self._owned)]
