"""Read how many files a folder has from kept counts, and count the matches of a pattern once for each change."""

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from filestore_svc.domain.wildcards import Pattern
from filestore_svc.store import names
from filestore_svc.store.tables import files, folder_counts

_MOST: Final = 256
# In a folder with fewer files the database compares every name fast enough.
_MANY: Final = 2_000
# The names of a folder are cached up to this many characters in all: about a million files.
_MOST_TEXT: Final = 32 << 20
_ALL_NAMES: Final = sa.select(sa.func.aggregate_strings(files.c.name, "\n"), sa.func.count()).where(
    files.c.folder_id == sa.bindparam("folder")
)
_COUNTS: Final = sa.select(
    sa.func.coalesce(sa.func.sum(folder_counts.c.files), 0), sa.func.coalesce(sa.func.sum(folder_counts.c.changes), 0)
).where(folder_counts.c.folder_id == sa.bindparam("folder"))
_ALL_FILES: Final = sa.select(sa.func.coalesce(sa.func.sum(folder_counts.c.files), 0))
_EXPIRED: Final = (
    sa.select(sa.func.count())
    .select_from(files)
    .where(
        files.c.folder_id == sa.bindparam("folder"), files.c.expires_at > 0, files.c.expires_at <= sa.bindparam("now")
    )
)


@dataclass(frozen=True)
class FolderCounts:
    """The counts of a folder: `living` files, `expired` ones that the sweeper will remove, and `changes` so far."""

    living: int
    expired: int
    changes: int


class _CountCache:
    """A cache of counts by folder and pattern, each valid for one number of changes of its folder."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[int, str], tuple[int, int]] = OrderedDict()

    def get(self, key: tuple[int, str], changes: int) -> int | None:
        with self._lock:
            after, number = self._counts.get(key, (-1, 0))
            return number if after == changes else None

    def put(self, key: tuple[int, str], changes: int, number: int) -> None:
        with self._lock:
            self._counts[key] = (changes, number)
            self._counts.move_to_end(key)
            if len(self._counts) > _MOST:
                self._counts.popitem(last=False)


class _NameCache:
    """A cache of all names of one folder, as one text with a name in each line, for searches inside names.

    No index supports such a search. The database answers the first one in each state of a folder by reading every name.
    The second one fetches the names, and those that follow search in memory, twenty times as fast.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = (0, -1)
        self._state = (0, -1)
        self._text = ""

    def count(self, connection: sa.Connection, folder: int, changes: int, inner: str) -> int | None:
        """Count the names that contain a text; None where the database has to count them."""
        with self._lock:
            text = self._of(connection, folder, changes)
        if text is None:
            return None
        # Each match goes to the end of its line, so that a name counts once.
        found = re.finditer(f"{re.escape(inner)}[^\n]*+", text)
        return sum(1 for _ in found)

    def _of(self, connection: sa.Connection, folder: int, changes: int) -> str | None:
        state = (folder, changes)
        if state == self._state:
            return self._text
        if state != self._asked:
            self._asked = state
            return None
        text, number = connection.execute(_ALL_NAMES, {"folder": folder}).one()
        if not number or len(text) > _MOST_TEXT or text.count("\n") != number - 1:
            return None
        self._state, self._text = state, text
        return self._text


_count_caches: Final[WeakKeyDictionary[sa.Engine, _CountCache]] = WeakKeyDictionary()
_name_caches: Final[WeakKeyDictionary[sa.Engine, _NameCache]] = WeakKeyDictionary()


def read(connection: sa.Connection, folder: int, now: int) -> FolderCounts:
    """Return the kept counts of a folder."""
    counted, changes = connection.execute(_COUNTS, {"folder": folder}).one()
    expired: int = connection.execute(_EXPIRED, {"folder": folder, "now": now}).scalar_one()
    return FolderCounts(int(counted) - expired, expired, int(changes))


def all_files(connection: sa.Connection) -> int:
    """Return how many files all folders hold together."""
    return int(connection.execute(_ALL_FILES).scalar_one())


def matching(connection: sa.Connection, folder: int, pattern: Pattern, counted: FolderCounts, now: int) -> int:
    """Return how many living files match; they are counted once for each number of changes.

    The number of changes was read before the matches are counted: a count that already contains a later change is then
    made anew. Expired files are counted separately, because expiry is no change.
    """
    known = _count_caches.setdefault(connection.engine, _CountCache())
    key = (folder, pattern.glob())
    number = known.get(key, counted.changes)
    if number is None:
        number = _counted(connection, folder, pattern, counted)
        known.put(key, counted.changes, number)
    if not counted.expired:
        return number
    gone = _EXPIRED.where(names.matches(connection, files.c.name, pattern))
    return max(number - int(connection.execute(gone, {"folder": folder, "now": now}).scalar_one()), 0)


def _counted(connection: sa.Connection, folder: int, pattern: Pattern, counted: FolderCounts) -> int:
    inner = pattern.inner
    if inner and counted.living > _MANY:
        found = _name_caches.setdefault(connection.engine, _NameCache())
        number = found.count(connection, folder, counted.changes, inner)
        if number is not None:
            return number
    query = sa.select(sa.func.count()).select_from(files).where(files.c.folder_id == folder)
    return int(connection.execute(query.where(*names.for_few_matches(connection, files.c.name, pattern))).scalar_one())
