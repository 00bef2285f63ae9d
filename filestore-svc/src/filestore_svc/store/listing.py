"""List and count the direct children of a folder."""

import dataclasses
from typing import Any

import sqlalchemy as sa

from filestore_svc.domain.files import FIXED, Folder
from filestore_svc.domain.listing import Child, Listing, Page, Selection
from filestore_svc.domain.wildcards import Pattern
from filestore_svc.store import files as store
from filestore_svc.store.tables import files, folders

_KEYS: dict[str, sa.Column[Any]] = {
    "name": files.c.name,
    "size": files.c.size,
    "put_date": files.c.put_at,
    "read_date": files.c.first_read_at,
    "expiry_date": files.c.expires_at,
}
# Below every size and every date, the missing one included.
_LOWEST = -1


def _matches(connection: sa.Connection, name: sa.Column[Any], pattern: Pattern | None) -> sa.ColumnElement[bool]:
    if pattern is None:
        return sa.true()
    if pattern.hopeless:
        return sa.false()
    if connection.dialect.name == "sqlite":
        return name.op("GLOB", is_comparison=True)(pattern.glob())
    return name.like(pattern.like(), escape="\\")


def _sources(
    connection: sa.Connection, folder: Folder | None, only: list[int] | None, selection: Selection, now: int
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Return the conditions of the folders and of the files that count; `only` names the folders that may be seen."""
    parent = folders.c.parent_id.is_(None) if folder is None else folders.c.parent_id == folder.id
    visible = sa.true() if only is None else folders.c.id.in_(only)
    in_folder = sa.false() if folder is None else files.c.folder_id == folder.id
    alive = sa.or_(files.c.expires_at == 0, files.c.expires_at > now)
    some_folders = sa.and_(
        sa.literal(selection.kind != "files"),
        parent,
        visible,
        folders.c.active,
        _matches(connection, folders.c.name, selection.pattern),
    )
    some_files = sa.and_(
        sa.literal(selection.kind != "folders"),
        in_folder,
        alive,
        _matches(connection, files.c.name, selection.pattern),
    )
    return some_folders, some_files


def listing(connection: sa.Connection, folder: Folder | None, only: list[int] | None, page: Page, now: int) -> Listing:
    """Return a page of a folder's children, those of the root for None (D12, D14)."""
    some_folders, some_files = _sources(connection, folder, only, page.selection, now)
    counts = sa.select(
        sa.select(sa.func.count()).select_from(folders).where(some_folders).scalar_subquery(),
        sa.select(sa.func.count()).select_from(files).where(some_files).scalar_subquery(),
    )
    total = sum(connection.execute(counts).one())
    path = "" if folder is None else folder.path
    if not page.limit or page.start >= total:
        return Listing(path, total, ())
    key = _KEYS[page.sort]
    folder_key = folders.c.name if page.sort == "name" else sa.literal(_LOWEST)
    both = sa.union_all(
        sa.select(folder_key.label("key"), folders.c.name.label("name"), sa.literal(0).label("fileset")).where(
            some_folders
        ),
        sa.select(key.label("key"), files.c.name.label("name"), files.c.fileset.label("fileset")).where(some_files),
    ).subquery()
    order = both.c.key.desc() if page.descending else both.c.key.asc()
    rows = connection.execute(
        sa.select(both.c.name, both.c.fileset)
        .order_by(order, both.c.name, both.c.fileset)
        .limit(page.limit)
        .offset(page.start)
    ).all()
    return Listing(path, total, tuple(_children(connection, path, rows, page)))


def _children(connection: sa.Connection, path: str, rows: Any, page: Page) -> list[Child]:
    ids = [row.fileset for row in rows if row.fileset]
    found = {
        row.fileset: store.of_row(row, path)
        for row in connection.execute(sa.select(*store.COLUMNS).where(files.c.fileset.in_(ids)))
    }
    wanted = [name for name in page.attributes if name not in FIXED]
    for fileset, values in (store.custom(connection, ids, wanted) if wanted else {}).items():
        found[fileset] = dataclasses.replace(found[fileset], custom=values)
    # Where each statement sees what is committed by then, a file may have gone since the first of them.
    return [Child(row.name, found.get(row.fileset)) for row in rows if not row.fileset or row.fileset in found]


def after(
    connection: sa.Connection, folder: Folder, pattern: Pattern | None, name: str, *, limit: int, now: int
) -> list[Any]:
    """Return up to `limit` files of a folder whose names come after `name`, in the order of their names."""
    _, some_files = _sources(connection, folder, None, Selection(kind="files", pattern=pattern), now)
    query = sa.select(*store.COLUMNS).where(some_files, files.c.name > name).order_by(files.c.name).limit(limit)
    return [store.of_row(row, folder.path) for row in connection.execute(query)]
