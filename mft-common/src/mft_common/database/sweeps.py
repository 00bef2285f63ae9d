"""Store which pieces of work that are over may have left unfinished files, and when to try to remove those next.

Times are those of the wall clock: where machines disagree, a removal is tried earlier or later, and twice does no harm.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.backoff import pause_after
from mft_common.database.statements import Connection, Statement

K = TypeVar("K", int, str)

_FIRST_MS: Final = 60_000
_MOST_MS: Final = 3_600_000
# No pause is as long as this: a time that is later was written before the clock was set back, and is due.
_LATEST_MS: Final = 24 * _MOST_MS
# How many due removals are read at a time while places that are free are looked for.
_PAGE: Final = 1_000


@dataclass(frozen=True)
class Claimed(Generic[K]):
    """A removal that a worker has claimed: the key of its piece of work, how often it was begun, and its place."""

    key: K
    tries: int
    place: str


class Sweeps(Generic[K]):
    """The removals of one service, in the table of `key`, which has the columns `tries` and `due_at` (ms) besides."""

    def __init__(self, key: sa.Column[K]) -> None:
        self._table = key.table
        self._key: sa.Column[K] = key
        now = sa.bindparam("now", type_=sa.BigInteger)
        self._any_due = Statement(sa.select(key).where(self._is_due(now)).limit(1))
        self._count = Statement(sa.select(sa.func.count()).select_from(self._table))

    def add(self, connection: sa.Connection, key: K, now: int) -> None:
        """Record that a piece of work may have left files; nothing changes where that is recorded."""
        insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        row = insert(self._table).values({self._key.name: key, "tries": 0, "due_at": now})
        connection.execute(row.on_conflict_do_nothing())

    def any_due(self, connection: Connection, now: int) -> bool:
        """Return whether a removal is due; a cheap read."""
        return self._any_due.first(connection, {"now": now}) is not None

    def count(self, connection: Connection) -> int:
        """Return how many pieces of work may have left files."""
        ((found,),) = self._count.all(connection, {})
        return int(found)

    def claim(
        self,
        connection: sa.Connection,
        now: int,
        most: int,
        places: Callable[[Sequence[K]], Mapping[K, str]],
        busy: Collection[str] = (),
    ) -> list[Claimed[K]]:
        """Return removals that are due, `most` of them at most, and put off the next try of each, longer each time.

        `places` returns the place of each piece of work, without those that have none any more. The claimed ones have
        different places, none of which is in `busy`, so that a far side that hangs holds up itself alone.
        The next try is the one of whoever claims it then: a worker that dies in the middle holds nothing back.
        """
        c = self._table.c
        claimed: list[Claimed[K]] = []
        taken = set(busy)
        # Page by page: a place that is busy may have any number of removals before those of the others.
        for page in self._due(connection, now):
            found = places([row[0] for row in page])
            for key, tries, due_at in page:
                if len(claimed) == most:
                    return claimed
                if key not in found or found[key] in taken:
                    continue
                taken.add(found[key])
                later = {"tries": tries + 1, "due_at": now + pause_after(tries + 1, _FIRST_MS, _MOST_MS)}
                unclaimed = (self._key == key, c.due_at == due_at)
                if connection.execute(sa.update(self._table).where(*unclaimed).values(**later)).rowcount == 1:
                    claimed.append(Claimed(key, tries + 1, found[key]))
        return claimed

    def _is_due(self, now: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        due_at = self._table.c.due_at
        return sa.or_(due_at <= now, due_at > now + _LATEST_MS)

    def _due(self, connection: sa.Connection, now: int) -> Iterator[Sequence[sa.Row[K, int, int]]]:
        """Yield pages of the removals that are due, the one that is due for longest first."""
        c = self._table.c
        is_due = self._is_due(sa.literal(now, sa.BigInteger()))
        due = sa.select(self._key, c.tries, c.due_at).where(is_due).order_by(c.due_at, self._key).limit(_PAGE)
        page = connection.execute(due).all()
        while page:
            yield page
            last = page[-1]
            behind = sa.tuple_(c.due_at, self._key) > sa.tuple_(last[2], last[0])
            page = connection.execute(due.where(behind)).all()

    def put_back(self, connection: sa.Connection, claimed: Claimed[K], now: int) -> None:
        """Make a removal due at once that was interrupted by the end of its worker; that try does not count."""
        c = self._table.c
        mine = (self._key == claimed.key, c.tries == claimed.tries)
        connection.execute(sa.update(self._table).where(*mine).values(tries=claimed.tries - 1, due_at=now))

    def remove(self, connection: sa.Connection, key: K) -> None:
        """Delete the record of a piece of work that has left nothing."""
        connection.execute(sa.delete(self._table).where(self._key == key))
