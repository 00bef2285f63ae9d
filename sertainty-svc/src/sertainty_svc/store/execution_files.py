"""Store the files of executions, in the order of their positions."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.store.tables import execution_file

_F: Final = execution_file.c
_PAGE: Final = 200


def put(connection: sa.Connection, execution: int, files: Iterable[ExecutionFile]) -> None:
    """Store files of an execution as they are now."""
    rows = [
        {"execution": execution, "position": one.position, "over": one.over, "data": json.dumps(one.to_json())}
        for one in files
    ]
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added = insert(execution_file)
    values = {"over": added.excluded.over, "data": added.excluded.data}
    if rows:
        connection.execute(added.on_conflict_do_update(index_elements=["execution", "position"], set_=values), rows)


def find(connection: sa.Connection, execution: int, position: int) -> ExecutionFile | None:
    """Return a file by its position."""
    found = sa.select(_F.data).where(_F.execution == execution, _F.position == position)
    data = connection.execute(found).scalar()
    return None if data is None else ExecutionFile.from_json(json.loads(data))


def each(
    connection: sa.Connection, execution: int, after: int = -1, *, not_over: bool = False
) -> Iterator[ExecutionFile]:
    """Yield the files behind a position, with `not_over` those to which something still happens; some are in memory."""
    behind = [_F.execution == execution, _F.position > sa.bindparam("after", type_=sa.BigInteger)]
    if not_over:
        behind.append(_F.over.is_(False))
    page = sa.select(_F.data).where(*behind).order_by(_F.position).limit(_PAGE)
    while rows := connection.execute(page, {"after": after}).scalars().all():
        for data in rows:
            file = ExecutionFile.from_json(json.loads(data))
            yield file
            after = file.position


def remove(connection: sa.Connection, execution: int) -> None:
    """Delete the files of an execution."""
    connection.execute(sa.delete(execution_file).where(_F.execution == execution))
