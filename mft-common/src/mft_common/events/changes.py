"""Notice soon, at next to no cost, that somebody committed something to a database."""

import contextlib
import sqlite3
import threading
import time
from typing import Final, Self

from mft_common.database import Database

# Short enough for nobody to notice, long enough for what comes one after the other to be handled together.
_SQLITE_PAUSE_S: Final = 0.04
_POSTGRESQL_PAUSE_S: Final = 0.05
# However quiet it is, somebody looks after this time: for events whose pause is over.
_QUIET_S: Final = 0.5


class ChangeDetector:
    """Watches one database for the thread that made it; a context manager.

    SQLite tells by `PRAGMA data_version`, on a connection of its own, whether another connection has committed: some
    microseconds each time. On PostgreSQL the caller's own query is the cheapest question there is.
    """

    def __init__(self, database: Database) -> None:
        self._path = database.url.database if database.dialect == "sqlite" else None
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._looked_at = 0.0
        self.pause = _SQLITE_PAUSE_S if self._path else _POSTGRESQL_PAUSE_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def changed(self) -> bool:
        """Return whether it is worth looking: something was committed since the last time, or it has been long."""
        now = time.monotonic()
        quiet = now - self._looked_at >= (_QUIET_S if self._path else 0)
        if self._path:
            version = self._data_version()
            quiet = quiet or version != self._version
            self._version = version
        if quiet:
            self._looked_at = now
        return quiet

    def wait(self, stop: threading.Event) -> None:
        """Return as soon as it is worth looking, or when `stop` is set."""
        while not stop.wait(self.pause) and not self.changed():
            pass

    def _data_version(self) -> int:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                if self._connection is not None:
                    self._connection.close()
            self._connection = None
            return -1
