"""Remember which transfer of the hub wrote a file of a watched folder last, so that what the file begins names it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.storable_text import storable

_DIGEST_BYTES: Final = 16
_PLACES_AT_ONCE: Final = 1000


def place_digest(owner: str, path: str) -> bytes:
    """Return the digest of the place of a file: a path, and whose path it is, "" for one that stands for itself.

    Empty steps and `.` do not count. Events have the bytes of a name that are not UTF-8 as the escapes of `storable`.
    """
    steps = storable("/".join(step for step in path.split("/") if step not in ("", ".")))
    return hashlib.blake2b(f"{owner}\0{steps}".encode(), digest_size=_DIGEST_BYTES).digest()


class Deliveries:
    """The deliveries of one service, in a table with the columns `place`, `transfer`, `size` and `at`.

    Every method works in the caller's transaction. Times are milliseconds, sizes bytes.
    """

    def __init__(self, table: sa.Table) -> None:
        self._table = table

    def note(self, connection: sa.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Store deliveries, a mapping of the columns each; the one with the latest time of a place counts.

        Events come in any order, and again: of two with the same time that of the greater id counts.
        """
        # Sorted: workers that store the same places in different orders would deadlock.
        latest = sorted({row["place"]: row for row in sorted(rows, key=_moment)}.values(), key=lambda row: row["place"])
        if not latest:
            return
        c = self._table.c
        insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        added = insert(self._table)
        values = {name: added.excluded[name] for name in ("transfer", "size", "at")}
        newer = sa.tuple_(added.excluded.at, added.excluded.transfer) >= sa.tuple_(c.at, c.transfer)
        changed = added.on_conflict_do_update(index_elements=["place"], set_=values, where=newer)
        connection.execute(changed, latest)

    def find(self, connection: sa.Connection, places: Sequence[bytes], size: int | None) -> str | None:
        """Return the transfer that last wrote one of these places with this size; with None any size."""
        c = self._table.c
        found = sa.select(c.transfer).where(c.place.in_(places)).order_by(c.at.desc()).limit(1)
        if size is not None:
            found = found.where(c.size == size)
        return connection.execute(found).scalar()

    def find_first(self, connection: sa.Connection, files: Sequence[tuple[bytes, int | None]]) -> str | None:
        """Return the transfer of the first file that a transfer wrote; each is its place and size, None for any."""
        c = self._table.c
        for begin in range(0, len(files), _PLACES_AT_ONCE):
            part = files[begin : begin + _PLACES_AT_ONCE]
            some = sa.select(c.place, c.transfer, c.size).where(c.place.in_([place for place, _ in part]))
            known = {bytes(row.place): row for row in connection.execute(some)}
            for place, size in part:
                if (row := known.get(place)) is not None and size in (None, row.size):
                    return str(row.transfer)
        return None

    def purge(self, connection: sa.Connection, before: int, most: int) -> int:
        """Delete some of the deliveries before a time; return how many. Those that a worker changes now are left."""
        c = self._table.c
        old = sa.select(c.place).where(c.at < before).limit(most).with_for_update(skip_locked=True)
        places = connection.execute(old).scalars().all()
        return connection.execute(sa.delete(self._table).where(c.place.in_(places))).rowcount if places else 0


def _moment(row: Mapping[str, Any]) -> tuple[int, str]:
    return row["at"], row["transfer"]
