"""Read one page of a folder's children out of the indexes, without reading or sorting what is not on it.

Each sort has an index (folder, key, name), which is scanned from the end that is nearer to the page. Files of one key
are in the order of their names in both directions (D12), which a backward scan is not: there the first and the last
key of the page are read once more, and whatever lies between is whole on the page.
"""

import dataclasses
import operator
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
    """The places `start` to `start + limit` of `total`; `backward` when they are nearer to the end."""

    start: int
    limit: int
    total: int

    @classmethod
    def within(cls, start: int, limit: int, total: int) -> "_Span":
        start = min(max(start, 0), total)
        return cls(start, max(min(limit, total - start), 0), total)

    @property
    def skipped(self) -> int:
        """How many places a scan from the nearer end goes by."""
        return min(self.start, self.total - self.start - self.limit)

    @property
    def backward(self) -> bool:
        return self.skipped < self.start


def rows(connection: sa.Connection, chosen: Chosen, page: Page) -> list[Row]:
    """Return the page; `chosen` is not empty."""
    if page.sort == "name":
        span = _Span.within(page.start, page.limit, chosen.total)
        return _by_name(connection, chosen, span, descending=page.descending)
    key = _KEYS[page.sort]
    lacking, valued = _split(connection, chosen, key) if page.sort in _MAY_LACK else (_without_files(chosen), chosen)
    before, limit = (valued.file_count if page.descending else lacking.total), page.limit

    def lack(start: int, most: int) -> list[Row]:
        span = _Span.within(start, most, lacking.total)
        return _by_name(connection, lacking, span, descending=False) if span.limit else []

    def have(start: int, most: int) -> list[Row]:
        span = _Span.within(start, most, valued.file_count)
        return _by_key(connection, valued.files, key, span, descending=page.descending) if span.limit else []

    first, second = (have, lack) if page.descending else (lack, have)
    found = first(page.start, limit) if page.start < before else []
    rest = limit - len(found)
    return found + (second(max(page.start - before, 0), rest) if rest else [])


def _without_files(chosen: Chosen) -> Chosen:
    return dataclasses.replace(chosen, files=(), file_count=0)


def _split(connection: sa.Connection, chosen: Chosen, key: sa.Column[Any]) -> tuple[Chosen, Chosen]:
    """Return those without a key, folders among them, and the files that have one."""
    if not chosen.file_count:
        return chosen, Chosen()
    without = [*chosen.files, key == 0]
    number = min(_count(connection, without), chosen.file_count)
    lacking = dataclasses.replace(chosen, files=without, file_count=number)
    return lacking, Chosen(files=[*chosen.files, key > 0], file_count=chosen.file_count - number)


def _count(connection: sa.Connection, conditions: Conditions) -> int:
    number: int = connection.execute(sa.select(sa.func.count()).select_from(files).where(*conditions)).scalar_one()
    return number


def _by_name(connection: sa.Connection, chosen: Chosen, span: _Span, *, descending: bool) -> list[Row]:
    """Return folders and files by name; a folder goes before the file of its name.

    A page cannot begin farther from where it would without any folder than there are folders. So the files are read
    from that many places before, and the folders sorted in; databases, asked for both at once, may sort them all.
    """
    if not chosen.folder_count:
        return _files(connection, chosen, span, descending=descending)
    order = folders.c.name.desc() if descending else folders.c.name
    query = sa.select(folders.c.name).where(*chosen.folders).order_by(order)
    names = list(connection.execute(query).scalars())
    first = max(span.start - len(names), 0)
    wanted = _Span.within(first, span.start - first + span.limit, chosen.file_count)
    found = _files(connection, chosen, wanted, descending=descending) if wanted.limit else []
    if found and first:
        edge = found[0][0]
        names = [name for name in names if (name <= edge if descending else name >= edge)]
        first += chosen.folder_count - len(names)
    both = sorted([*found, *((name, 0) for name in names)], key=lambda row: row[1])
    both.sort(key=lambda row: row[0], reverse=descending)
    return both[span.start - first :][: span.limit]


def _files(connection: sa.Connection, chosen: Chosen, span: _Span, *, descending: bool) -> list[Row]:
    order = files.c.name.desc() if descending is not span.backward else files.c.name
    query = sa.select(files.c.name, files.c.fileset).where(*chosen.files).order_by(order)
    found = connection.execute(query.limit(span.limit).offset(span.skipped)).all()
    return _ordered([(name, fileset) for name, fileset in found], span)


def _ordered(found: list[Any], span: _Span) -> list[Any]:
    return found[::-1] if span.backward else found


def _by_key(
    connection: sa.Connection, some: Conditions, key: sa.Column[Any], span: _Span, *, descending: bool
) -> list[Row]:
    downwards = descending is not span.backward
    order = (key.desc(), files.c.name.desc()) if downwards else (key, files.c.name)
    query = sa.select(key, files.c.name, files.c.fileset).where(*some).order_by(*order)
    found = _ordered([tuple(row) for row in connection.execute(query.limit(span.limit).offset(span.skipped))], span)
    if not descending or not found:
        return [(name, fileset) for _, name, fileset in found]
    groups = [(value, sorted(each[1:] for each in group)) for value, group in groupby(found, lambda row: row[0])]
    value, group = groups[0]
    above = _above(connection, some, key, value, span)
    groups[0] = (value, _of_one_key(connection, [*some, key == value], group, span.start - above))
    if len(groups) > 1:
        value, group = groups[-1]
        groups[-1] = (value, _of_one_key(connection, [*some, key == value], group, 0))
    return [row for _, group in groups for row in group]


def _above(connection: sa.Connection, some: Conditions, key: sa.Column[Any], value: Any, span: _Span) -> int:
    """Return how many have a higher key; counted from the nearer end."""
    if span.backward:
        return span.total - _count(connection, [*some, key <= value])
    # An index is entered at one lower bound, and a database given two may choose the one far below.
    others = [each for each in some if not (isinstance(each, sa.BinaryExpression) and _is_lower_bound(each, key))]
    return _count(connection, [*others, key > value])


def _is_lower_bound(condition: sa.BinaryExpression[Any], key: sa.Column[Any]) -> bool:
    return condition.left is key and condition.operator is operator.gt


def _of_one_key(connection: sa.Connection, some: Conditions, group: list[Row], start: int) -> list[Row]:
    """Return as many files of one key as `group` has, by name, from place `start` among them."""
    total = _count(connection, some)
    if total == len(group):
        return group
    span = _Span.within(start, len(group), total)
    return _by_name(connection, Chosen(files=some, file_count=total), span, descending=False)
