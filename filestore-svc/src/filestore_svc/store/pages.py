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
# A name and the id of its file, 0 for a folder.
Row = tuple[str, int]
# The same after its key, which is 0 for a date that is not there.
_Keyed = tuple[Any, str, int]

# How many places on each side of a page are looked at for where the groups of one key begin and end.
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
    """The children that match, by their conditions, and how many they are."""

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
    """The places `start` to `stop` of `total`; `backward` when they are nearer to the end."""

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
        """How many places a scan from the nearer end goes by."""
        return min(self.start, self.total - self.stop)


def rows(connection: sa.Connection, chosen: Chosen, page: Page) -> list[Row]:
    """Return the page; `chosen` is not empty.

    A page cannot begin farther from where it would without any folder than there are folders. So the files are read
    from that many places before, and the folders sorted in; databases, asked for both at once, may sort them all.
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
        # Those without a date are the last, so that pages near the end need not be looked for among all.
        limit = span.stop - span.start
        lacking = _of_one_key(connection, some, key, 0, skipped=span.total - span.stop, limit=limit, backward=True)
        if len(lacking) == limit:
            return lacking
        if lacking:
            # The first of them is in sight, and with it how many have a date.
            dated = span.stop - len(lacking)
            rest = _Span.within(span.start, dated, dated)
            return _by_falling_key(connection, [*some, key > 0], key, rest) + lacking
    return _by_falling_key(connection, some, key, span)


def _may_lack(connection: sa.Connection, some: Conditions, key: sa.Column[Any], span: _Span) -> bool:
    """Guess from a few names whether so many lack a date that a page near the end shows none that has one."""
    if span.skipped <= _AROUND:
        return True
    keys = list(connection.execute(sa.select(key).where(*some).order_by(_NAME).limit(_AROUND)).scalars())
    return 2 * keys.count(0) * span.total >= len(keys) * span.skipped


def _scan(
    connection: sa.Connection, some: Conditions, order: Sequence[sa.Column[Any]], span: _Span, *, descending: bool
) -> list[_Keyed]:
    """Read the places of a span in the order of an index, from its nearer end."""
    by = [column.desc() for column in order] if descending is not span.backward else order
    query = sa.select(order[0], _NAME, files.c.fileset).where(*some).order_by(*by)
    found = connection.execute(query.limit(span.stop - span.start).offset(span.skipped)).all()
    return [(key, name, fileset) for key, name, fileset in (reversed(found) if span.backward else found)]


def _by_falling_key(connection: sa.Connection, some: Conditions, key: sa.Column[Any], span: _Span) -> list[_Keyed]:
    """Read with somewhat more on both sides: a group of one key of which both ends are there is only to be sorted.

    Of a group that begins or ends beyond, it is known how far from its other end the page lies. Only where neither
    end is in sight have those to be counted that come before the group or, where that is nearer, after it.
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
    """Return files of one key by name, from a place that is so far from their start or, `backward`, from their end."""
    query = sa.select(_NAME, files.c.fileset).where(*some, key == value)
    query = query.order_by(_NAME.desc() if backward else _NAME).limit(limit).offset(max(skipped, 0))
    found = [(value, name, fileset) for name, fileset in connection.execute(query)]
    return found[::-1] if backward else found
