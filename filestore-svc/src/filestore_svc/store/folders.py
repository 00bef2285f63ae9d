"""Keep the tree of folders and their access lists."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from filestore_svc.domain.files import Folder, Right
from filestore_svc.domain.paths import ancestry
from filestore_svc.store.tables import folders
from mft_common.database import advisory_lock
from mft_common.database.statements import Connection, Statement

_C = folders.c
# Access lists are read as text, so that each is parsed once: there are few of them, and they are read again and again.
_COLUMNS = (_C.id, _C.path, sa.cast(_C.access, sa.Text))
_HAS = Statement(sa.select(_C.id).where(_C.path == sa.bindparam("wanted")))
_TOP = sa.select(*_COLUMNS).where(_C.parent_id.is_(None), _C.active)


@functools.cache
def _chain(depth: int) -> Statement:
    """Return the query for so many paths; SQLAlchemy would render a list of any length anew for each execution."""
    paths: list[sa.BindParameter[str]] = [sa.bindparam(f"path{number}") for number in range(depth)]
    return Statement(sa.select(*_COLUMNS).where(_C.path.in_(paths), _C.active).order_by(sa.func.length(_C.path)))


@functools.lru_cache(4096)
def _access(text: str | None) -> Mapping[str, list[Right]] | None:
    return None if text is None else json.loads(text)


def _of_row(row: Sequence[Any]) -> Folder:
    return Folder(row[0], row[1], _access(row[2]))


def chain(connection: Connection, pieces: tuple[str, ...]) -> list[Folder]:
    """Return the folders that exist on the way down to the one that `pieces` name, the topmost first, without gaps."""
    if not pieces:
        return []
    paths = ancestry(pieces)
    named = {f"path{number}": path for number, path in enumerate(paths)}
    rows = [_of_row(row) for row in _chain(len(paths)).all(connection, named)]
    return [folder for folder, path in zip(rows, paths, strict=False) if folder.path == path]


def top(connection: sa.Connection) -> list[Folder]:
    """Return the folders right below the root."""
    return [_of_row(row) for row in connection.execute(_TOP)]


def has(connection: Connection, parent: Folder, name: str) -> bool:
    """Return whether a folder of that name is right below `parent`, hidden or not.

    A hidden folder keeps its name: an account that made it anew would see the files that others have left in it.
    """
    return _HAS.first(connection, {"wanted": f"{parent.path}/{name}"}) is not None


def make(connection: sa.Connection, parent: Folder, name: str) -> Folder:
    """Make a folder below `parent`, whose access list it inherits; the configuration does not take it away (X2)."""
    values = {"name": name, "parent_id": parent.id, "access": None, "active": True, "made": True}
    insert = sa.insert(folders).values(path=f"{parent.path}/{name}", **values).returning(*_COLUMNS)
    return _of_row(connection.execute(insert).one())


def apply(connection: sa.Connection, wanted: Mapping[str, Mapping[str, Sequence[Right]] | None]) -> None:
    """Make the tree what the configuration says: path -> its own access list, None where it inherits.

    Folders that lie between are made without a list. Folders that are no longer configured are hidden with their files.
    A folder that an account made stays; a list that the configuration gave to it goes with its entry.
    """
    # Processes that start at once apply their configurations one after another.
    advisory_lock(connection, "filestore-svc folders")
    tree: dict[str, Mapping[str, Sequence[Right]] | None] = {}
    for path in sorted(wanted):
        for above in ancestry(tuple(path.split("/")[1:])):
            tree.setdefault(above, None)
        tree[path] = wanted[path]
    known = {row.path: row for row in connection.execute(sa.select(folders))}
    ids = {path: row.id for path, row in known.items()}
    for path, access in tree.items():
        parent, _, name = path.rpartition("/")
        values = {"access": access and {account: list(rights) for account, rights in access.items()}, "active": True}
        row = known.get(path)
        if row is None:
            insert = sa.insert(folders).values(path=path, name=name, parent_id=ids.get(parent), made=False, **values)
            ids[path] = connection.execute(insert.returning(_C.id)).scalar_one()
        elif (row.access, row.active) != (values["access"], True):
            connection.execute(sa.update(folders).where(_C.id == row.id).values(**values))
    for path, row in known.items():
        if path not in tree and row.made and row.access is not None:
            connection.execute(sa.update(folders).where(_C.id == row.id).values(access=None))
        elif path not in tree and row.active and not row.made:
            connection.execute(sa.update(folders).where(_C.id == row.id).values(active=False))
