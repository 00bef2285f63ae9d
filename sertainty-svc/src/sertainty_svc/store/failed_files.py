"""Remember which files of a task have failed, and let its watch take files again (86)."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.watching.memory import digest
from sertainty_svc.store.tables import WATCHES, task_failure

_C: Final = task_failure.c
_ROWS: Final = 1000


def add(connection: sa.Connection, task_id: int, paths: Collection[str]) -> None:
    """Remember files that have failed: they are not taken again until they change or the task is reset."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [{"task": task_id, "name": digest(path)} for path in paths]
    if rows:
        connection.execute(insert(task_failure).on_conflict_do_nothing(), rows)


def remove(connection: sa.Connection, task_id: int, paths: Collection[str]) -> None:
    """Forget failures of files that have succeeded since."""
    for part in _parts([digest(path) for path in paths]):
        connection.execute(sa.delete(task_failure).where(_C.task == task_id, _C.name.in_(part)))


def hand_back(connection: sa.Connection, watch: str, paths: Collection[str]) -> None:
    """Let a watch take files again that an execution has not brought to an end."""
    WATCHES.forget_names(connection, watch, [digest(path) for path in paths])


def _parts(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for begin in range(0, len(names), _ROWS):
        yield names[begin : begin + _ROWS]
