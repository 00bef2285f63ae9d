"""Keep what proves the commits of files that executions have not brought to their ends, for later executions (88)."""

import json
from collections.abc import Collection, Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.watching.memory import digest
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.store.tables import unproved_commit

_C: Final = unproved_commit.c


def keep(connection: sa.Connection, task_id: int, folder: str, files: Iterable[ExecutionFile]) -> None:
    """Keep files of a task, whose destination is `folder`, over those of the same paths."""
    rows = [
        {"task": task_id, "name": digest(one.path), "folder": folder, "data": json.dumps(one.to_json())}
        for one in files
    ]
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added = insert(unproved_commit)
    values = {"folder": added.excluded.folder, "data": added.excluded.data}
    if rows:
        connection.execute(added.on_conflict_do_update(index_elements=["task", "name"], set_=values), rows)


def find(connection: sa.Connection, task_id: int, folder: str, path: str) -> ExecutionFile | None:
    """Return the file of a path below the source, as the execution that was to write it into `folder` has left it."""
    found = sa.select(_C.data).where(_C.task == task_id, _C.name == digest(path), _C.folder == folder)
    data = connection.execute(found).scalar()
    return None if data is None else ExecutionFile.from_json(json.loads(data))


def names(connection: sa.Connection, task_id: int) -> set[bytes]:
    """Return the digests of the paths of all files that are kept of a task."""
    return set(map(bytes, connection.execute(sa.select(_C.name).where(_C.task == task_id)).scalars()))


def remove(connection: sa.Connection, task_id: int, paths: Collection[bytes]) -> None:
    """Forget files of a task, by the digests of their paths."""
    for path in paths:
        connection.execute(sa.delete(unproved_commit).where(_C.task == task_id, _C.name == path))
