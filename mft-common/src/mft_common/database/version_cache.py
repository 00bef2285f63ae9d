"""Remember what a connection of SQLite's has found, for as long as nobody has changed the database."""

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

_MOST: Final = 256
T = TypeVar("T")


class VersionedCache:
    """What one connection has found; that connection never writes.

    `PRAGMA data_version` tells whether any other connection, of whichever process, has committed something since it
    was last asked, for a third of what it costs to read one row.
    """

    __slots__ = ("_found", "_version")

    def __init__(self) -> None:
        self._version = -1
        self._found: dict[Hashable, Any] = {}

    def find(self, connection: Any, key: Hashable, work: Callable[[], T]) -> T:
        """Return what `work()` returned for this key, done anew where it was not since the last commit of anybody."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            # Forgotten before anything is read: what is found is never older than the version it is kept under.
            self._found.clear()
            self._version = version
        elif key in self._found:
            found: T = self._found[key]
            return found
        result = work()
        if len(self._found) >= _MOST:
            self._found.clear()
        self._found[key] = result
        return result
