"""List and count the direct children of a folder."""

import dataclasses
from typing import Any, Final

import sqlalchemy as sa

from filestore_svc.domain.files import FIXED, Folder
from filestore_svc.domain.listing import Child, Listing, Page, Selection
from filestore_svc.domain.wildcards import Pattern
from filestore_svc.store import counts, names, pages
from filestore_svc.store import files as store
from filestore_svc.store.pages import Chosen
from filestore_svc.store.tables import files, folders

# If at most one file in 16 matches, sorting the matches is faster than reading all files in order.
_FEW: Final = 16


def _some_folders(
    connection: sa.Connection, folder: Folder | None, only: list[int] | None, pattern: Pattern | None
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the folders that match; `only` holds the ids of the visible ones."""
    found = [folders.c.parent_id.is_(None) if folder is None else folders.c.parent_id == folder.id, folders.c.active]
    if only is not None:
        found.append(folders.c.id.in_(only))
    if pattern is not None:
        found.append(names.matches(connection, folders.c.name, pattern))
    return found


def _living(connection: sa.Connection, folder: Folder, now: int) -> sa.ColumnElement[bool]:
    """Return the condition that leaves out expired files without reading their rows.

    PostgreSQL's indexes contain the date. SQLite's do not, but all contain the id, by which the few are left out.
    """
    if connection.dialect.name == "postgresql":
        return sa.or_(files.c.expires_at == 0, files.c.expires_at > now)
    over = (files.c.folder_id == folder.id, files.c.expires_at > 0, files.c.expires_at <= now)
    return files.c.fileset.not_in(sa.select(files.c.fileset).where(*over).correlate(None))


def _chosen(connection: sa.Connection, folder: Folder | None, only: list[int] | None, page: Page, now: int) -> Chosen:
    """Return the conditions of the children that match, and their number."""
    pattern, kind = page.selection.pattern, page.selection.kind
    if pattern is not None and pattern.hopeless:
        return Chosen()
    chosen = Chosen()
    if kind != "files":
        some = _some_folders(connection, folder, only, pattern)
        number = connection.execute(sa.select(sa.func.count()).select_from(folders).where(*some)).scalar_one()
        chosen = dataclasses.replace(chosen, folders=some, folder_count=number)
    if kind != "folders" and folder is not None:
        kept = counts.read(connection, folder.id, now)
        some, number = [files.c.folder_id == folder.id], kept.living
        if kept.expired:
            some.append(_living(connection, folder, now))
        if pattern is not None:
            number = counts.matching(connection, folder.id, pattern, kept, now)
            if number * _FEW <= kept.living:
                some += names.for_few_matches(connection, files.c.name, pattern)
            else:
                some += names.for_many_matches(connection, files.c.name, pattern, in_order=page.sort == "name")
        chosen = dataclasses.replace(chosen, files=some, file_count=number)
    return chosen


def count(
    connection: sa.Connection, folder: Folder | None, only: list[int] | None, selection: Selection, now: int
) -> int:
    """Return how many children match (74, D14)."""
    return _chosen(connection, folder, only, Page(selection=selection), now).total


def listing(connection: sa.Connection, folder: Folder | None, only: list[int] | None, page: Page, now: int) -> Listing:
    """Return a page of a folder's children, those of the root for None (D12, D14)."""
    chosen = _chosen(connection, folder, only, page, now)
    path = "" if folder is None else folder.path
    if not page.limit or page.start >= chosen.total:
        return Listing(path, chosen.total, ())
    return Listing(path, chosen.total, tuple(_children(connection, path, pages.rows(connection, chosen, page), page)))


def _children(connection: sa.Connection, path: str, rows: list[pages.Row], page: Page) -> list[Child]:
    ids = [fileset for _, fileset in rows if fileset]
    found = {
        row.fileset: store.of_row(row, path)
        for row in connection.execute(sa.select(*store.COLUMNS).where(files.c.fileset.in_(ids)))
    }
    wanted = [name for name in page.attributes if name not in FIXED]
    for fileset, values in (store.custom(connection, ids, wanted) if wanted else {}).items():
        found[fileset] = dataclasses.replace(found[fileset], custom=values)
    # On PostgreSQL each statement sees what is committed by then: a file may be gone since the first statement.
    return [Child(name, found.get(fileset)) for name, fileset in rows if not fileset or fileset in found]


def after(
    connection: sa.Connection, folder: Folder, pattern: Pattern | None, name: str, *, limit: int, now: int
) -> list[Any]:
    """Return up to `limit` files of a folder whose names come after `name`, in the order of their names."""
    if pattern is not None and pattern.hopeless:
        return []
    some = [files.c.folder_id == folder.id, sa.or_(files.c.expires_at == 0, files.c.expires_at > now)]
    if pattern is not None:
        some += names.for_many_matches(connection, files.c.name, pattern, in_order=True)
    query = sa.select(*store.COLUMNS).where(*some, files.c.name > name).order_by(files.c.name).limit(limit)
    return [store.of_row(row, folder.path) for row in connection.execute(query)]
