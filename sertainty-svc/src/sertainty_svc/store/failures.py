"""Forget which files of tasks have failed (83, 86)."""

from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

from sertainty_svc.store.tables import task_failure

_C: Final = task_failure.c
_AT_ONCE: Final = 1000


def take(connection: sa.Connection, task_ids: Collection[int]) -> dict[int, list[bytes]]:
    """Forget the failed files of tasks; return their names by the ids of those that have any.

    Names are the digests of paths below the source folder.
    """
    wanted, found = sorted(task_ids), dict[int, list[bytes]]()
    for begin in range(0, len(wanted), _AT_ONCE):
        deleted = sa.delete(task_failure).where(_C.task.in_(wanted[begin : begin + _AT_ONCE]))
        for row in connection.execute(deleted.returning(_C.task, _C.name)):
            found.setdefault(row.task, []).append(bytes(row.name))
    return found
