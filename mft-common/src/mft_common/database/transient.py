"""Distinguish errors of a database that is away, busy or full from those of wrong statements."""

import sqlite3
from typing import Final

import sqlalchemy as sa

from mft_common.errors import Unavailable

# SQLite: busy, locked, read-only, I/O error, full, cannot open, file locks in disorder.
_SQLITE: Final = frozenset({5, 6, 8, 10, 13, 14, 15})
# PostgreSQL's classes: connection, transaction rolled back, resources, lock not available, operator, system.
_POSTGRESQL: Final = ("08", "40", "53", "55", "57", "58", "25P03")


def is_transient(error: BaseException | None) -> bool:
    """Return whether the same operation may succeed later without a change of program or data."""
    if isinstance(error, Unavailable):
        # The database's own error is its cause; an Unavailable of another service has none.
        return is_transient(error.__cause__)
    if isinstance(error, sa.exc.TimeoutError):
        return True
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    original = error.orig
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorcode", 0) & 0xFF in _SQLITE
    state = getattr(original, "sqlstate", None)
    if state is None:
        # The driver itself found the connection gone.
        return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    return str(state).startswith(_POSTGRESQL)
