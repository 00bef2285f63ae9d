"""Read one page of a folder's children out of the indexes, without reading or sorting what is not on it.

Each sort has an index (folder, key, name), which is scanned from the end that is nearer to the page. Files of one key
are in the order of their names in both directions (D12), which a backward scan is not: there each group of one key is
put in order, and read once more where the page has only a part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from filestore_svc.domain.listing import Page
from filestore_svc.store.tables import files, folders

Conditions = Sequence[sa.ColumnElement[bool]]
# A name with the id of its file, 0 for a folder.
Row = tuple[str, int]
# A sort key, 0 for a missing date, with name and id.
_Keyed = tuple[Any, str, int]

# How far on each side of a page the beginnings and ends of groups with one key are searched.
_AROUND: Final = 100
_NAME: Final = files.c.name

_KEYS: Final[dict[str, sa.Column[Any]]] = {
    "size": files.c.size,
    "put_date": files.c.put_at,
    "read_date": files.c.first_read_at,
    "expiry_date": files.c.expires_at,
}
# Dates that a file may lack, as folders do; every file has a size, 0 included.
_MAY_LACK: Final = ("read_date", "expiry_date")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The conditions of the children that match, and their numbers."""

    folders: Conditions = ()
    files: Conditions = ()
    folder_count: int = 0
    file_count: int = 0

    @property
    def total(self) -> int:
        """The number of all."""
        return self.folder_count + self.file_count


@dataclass(frozen=True)
class _Span:
    """The positions `start` to `stop` of `total`; `backward` where they are nearer to the end."""

    start: int
    stop: int
    total: int

    @classmethod
    def within(cls, start: int, stop: int, total: int) -> "_Span":
        start = min(max(start, 0), total)
        return cls(start, min(max(stop, start), total), total)

    @property
    def backward(self) -> bool:
        return self.total - self.stop < self.start

    @property
    def skipped(self) -> int:
        """How many rows a scan from the nearer end skips."""
        return min(self.start, self.total - self.stop)


def rows(connection: sa.Connection, chosen: Chosen, page: Page) -> list[Row]:
    """Return the page; `chosen` is not empty.

    Folders move the first file of a page by at most their own number. So the files are read from that many positions
    earlier, and the folders are sorted in. In one query for both, a database may sort all files.
    """
    between = (
        list(connection.execute(sa.select(folders.c.name).where(*chosen.folders)).scalars()) if chosen.folders else []
    )
    first = max(page.start - len(between), 0)
    span = _Span.within(first, page.start + page.limit, chosen.file_count)
    found = _files(connection, chosen.files, page, span) if span.stop > span.start else []
    if between:
        lowest = 0 if page.sort in _MAY_LACK else -1
        found = sorted([*found, *((lowest, name, 0) for name in between)], key=lambda row: row[1:])
        found.sort(key=lambda row: row[1] if page.sort == "name" else row[0], reverse=page.descending)
    return [(name, fileset) for _, name, fileset in found[page.start - first :][: page.limit]]


def _files(connection: sa.Connection, some: Conditions, page: Page, span: _Span) -> list[_Keyed]:
    if page.sort == "name":
        return _scan(connection, some, [_NAME], span, descending=page.descending)
    key = _KEYS[page.sort]
    if not page.descending:
        return _scan(connection, some, [key, _NAME], span, descending=False)
    if page.sort in _MAY_LACK and span.backward and _may_lack(connection, some, key, span):
        # Files without a date come last: a page near the end is read from that end.
        limit = span.stop - span.start
        lacking = _of_one_key(connection, some, key, 0, skipped=span.total - span.stop, limit=limit, backward=True)
        if len(lacking) == limit:
            return lacking
        if lacking:
            # Fewer files than the page lack a date; their number tells where the files with a date end.
            dated = span.stop - len(lacking)
            rest = _Span.within(span.start, dated, dated)
            return _by_falling_key(connection, [*some, key > 0], key, rest) + lacking
    return _by_falling_key(connection, some, key, span)


def _may_lack(connection: sa.Connection, some: Conditions, key: sa.Column[Any], span: _Span) -> bool:
    """Estimate from a few names whether a page near the end shows only files without a date."""
    if span.skipped <= _AROUND:
        return True
    keys = list(connection.execute(sa.select(key).where(*some).order_by(_NAME).limit(_AROUND)).scalars())
    return 2 * keys.count(0) * span.total >= len(keys) * span.skipped


def _scan(
    connection: sa.Connection, some: Conditions, order: Sequence[sa.Column[Any]], span: _Span, *, descending: bool
) -> list[_Keyed]:
    """Read the rows of a span in the order of an index, from its nearer end."""
    by = [column.desc() for column in order] if descending is not span.backward else order
    query = sa.select(order[0], _NAME, files.c.fileset).where(*some).order_by(*by)
    found = connection.execute(query.limit(span.stop - span.start).offset(span.skipped)).all()
    return [(key, name, fileset) for key, name, fileset in (reversed(found) if span.backward else found)]


def _by_falling_key(connection: sa.Connection, some: Conditions, key: sa.Column[Any], span: _Span) -> list[_Keyed]:
    """Read a span in falling order of a key and rising order of the names of one key.

    A little more is read on both sides. A group of one key that lies within is sorted. Of a group that begins or ends
    outside, the end that lies within tells the position of the page in the group. Where neither does, the files before
    the group, or after it if they are nearer, are counted.
    """
    wide = _Span.within(span.start - _AROUND, span.stop + _AROUND, span.total)
    page: list[_Keyed] = []
    begin = wide.start
    for value, group in groupby(_scan(connection, some, [key, _NAME], wide, descending=True), lambda row: row[0]):
        found = sorted(group)
        end = begin + len(found)
        start, stop = max(begin, span.start), min(end, span.stop)
        begins, ends = begin > wide.start or begin == 0, end < wide.stop or end == span.total
        if start < stop and begins and ends:
            page += found[start - begin : stop - begin]
        elif start < stop:
            backward = span.backward if begins is ends else ends
            if backward:
                skipped = (end if ends else span.total - _count(connection, [*some, key < value])) - stop
            else:
                skipped = start - (begin if begins else _count(connection, [*some, key > value]))
            limit = stop - start
            page += _of_one_key(connection, some, key, value, skipped=skipped, limit=limit, backward=backward)
        begin = end
    return page


def _count(connection: sa.Connection, conditions: Conditions) -> int:
    number: int = connection.execute(sa.select(sa.func.count()).select_from(files).where(*conditions)).scalar_one()
    return number


def _of_one_key(
    connection: sa.Connection,
    some: Conditions,
    key: sa.Column[Any],
    value: int,
    *,
    skipped: int,
    limit: int,
    backward: bool,
) -> list[_Keyed]:
    """Return files of one key by name, `skipped` files after their start or, `backward`, before their end."""
    query = sa.select(_NAME, files.c.fileset).where(*some, key == value)
    query = query.order_by(_NAME.desc() if backward else _NAME).limit(limit).offset(max(skipped, 0))
    found = [(value, name, fileset) for name, fileset in connection.execute(query)]
    return found[::-1] if backward else found
