"""Detect commits to a database soon and at almost no cost."""

import contextlib
import sqlite3
import threading
import time
from typing import Final, Self

from mft_common.database import Database

# Short enough not to be noticed, and long enough for events that follow one another to share a batch.
_SQLITE_PAUSE_S: Final = 0.04
_POSTGRESQL_PAUSE_S: Final = 0.05
# `changed` is true after this time without a commit, for events whose pause is over.
_QUIET_S: Final = 0.5


class ChangeDetector:
    """Watches one database for the thread that made it; a context manager. `pause` is the polling interval in seconds.

    On SQLite it asks `PRAGMA data_version` on a connection of its own, which takes microseconds and changes with each
    commit of another connection. On PostgreSQL the caller's own query is the cheapest way to find out.
    """

    def __init__(self, database: Database) -> None:
        self._path = database.url.database if database.dialect == "sqlite" else None
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._reported_at = 0.0
        self.pause = _SQLITE_PAUSE_S if self._path else _POSTGRESQL_PAUSE_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def changed(self) -> bool:
        """Return whether there was a commit since the last call, or no call returned True for some time."""
        now = time.monotonic()
        due = now - self._reported_at >= (_QUIET_S if self._path else 0)
        if self._path:
            version = self._data_version()
            due = due or version != self._version
            self._version = version
        if due:
            self._reported_at = now
        return due

    def wait(self, stop: threading.Event) -> None:
        """Return as soon as `changed` is true or `stop` is set."""
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
