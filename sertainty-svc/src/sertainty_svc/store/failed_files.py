"""Remember and forget which files of tasks have failed, and let watches take files again (83, 86)."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.watching.memory import digest
from sertainty_svc.store.tables import WATCHES, task_failure

T = TypeVar("T")

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


def take(connection: sa.Connection, task_ids: Collection[int]) -> dict[int, list[bytes]]:
    """Forget the failed files of tasks; return their names by the ids of those that have any.

    Names are the digests of paths below the source folder.
    """
    wanted, found = sorted(task_ids), dict[int, list[bytes]]()
    for part in _parts(wanted):
        deleted = sa.delete(task_failure).where(_C.task.in_(part))
        for row in connection.execute(deleted.returning(_C.task, _C.name)):
            found.setdefault(row.task, []).append(bytes(row.name))
    return found


def purge(connection: sa.Connection, most: int) -> int:
    """Forget failed files that are gone: their watch does not remember them any more. Return how many, `most` at most.

    Those that a transaction changes now are left.
    """
    watch = sa.literal("task/") + sa.cast(_C.task, sa.String())
    gone = sa.select(_C.task, _C.name).where(sa.not_(WATCHES.is_remembered(watch, _C.name))).limit(most)
    rows = connection.execute(gone.with_for_update(skip_locked=True)).all()
    deleted = sa.delete(task_failure).where(_C.task == sa.bindparam("of_task"), _C.name == sa.bindparam("of_name"))
    if rows:
        connection.execute(deleted, [{"of_task": row.task, "of_name": row.name} for row in rows])
    return len(rows)


def hand_back(connection: sa.Connection, watch: str, paths: Collection[str]) -> None:
    """Let a watch take files again that an execution has not brought to an end."""
    WATCHES.forget_names(connection, watch, [digest(path) for path in paths])


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for begin in range(0, len(rows), _ROWS):
        yield rows[begin : begin + _ROWS]
