"""Keep the tree of folders and their access lists."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from filestore_svc.domain.files import Folder, Right
from filestore_svc.domain.paths import ancestry
from filestore_svc.store.tables import folders
from mft_common.database import one_at_a_time

_C = folders.c
_COLUMNS = (_C.id, _C.path, _C.access)
_CHAIN = (
    sa.select(*_COLUMNS)
    .where(_C.path.in_(sa.bindparam("paths", expanding=True)), _C.active)
    .order_by(sa.func.length(_C.path))
)
_TOP = sa.select(*_COLUMNS).where(_C.parent_id.is_(None), _C.active)


def chain(connection: sa.Connection, pieces: tuple[str, ...]) -> list[Folder]:
    """Return the folders that exist on the way down to the one that `pieces` name, the topmost first, without gaps."""
    if not pieces:
        return []
    paths = ancestry(pieces)
    rows = [Folder(*row) for row in connection.execute(_CHAIN, {"paths": paths})]
    return [folder for folder, path in zip(rows, paths, strict=False) if folder.path == path]


def top(connection: sa.Connection) -> list[Folder]:
    """Return the folders right below the root."""
    return [Folder(*row) for row in connection.execute(_TOP)]


def apply(connection: sa.Connection, wanted: Mapping[str, Mapping[str, Sequence[Right]] | None]) -> None:
    """Make the tree what the configuration says: path -> its own access list, None where it inherits.

    Folders that lie between are made without a list. Those that are no longer wanted keep their files out of sight.
    """
    # Several processes that start at once do this one after another.
    one_at_a_time(connection, "filestore-svc folders")
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
            insert = sa.insert(folders).values(path=path, name=name, parent_id=ids.get(parent), **values)
            ids[path] = connection.execute(insert.returning(_C.id)).scalar_one()
        elif (row.access, row.active) != (values["access"], True):
            connection.execute(sa.update(folders).where(_C.id == row.id).values(**values))
    for path, row in known.items():
        if path not in tree and row.active:
            connection.execute(sa.update(folders).where(_C.id == row.id).values(active=False))
