"""Replace and delete the tasks of a configuration, pause and reset them."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.domain.tasks import TaskDefinition
from sertainty_svc.store import executions
from sertainty_svc.store.tables import TASK_LOG, execution, task

_C: Final = task.c
_AT_ONCE: Final = 1000
_MOVE: Final = (
    sa.update(task)
    .where(_C.id == sa.bindparam("id_"))
    .values(position=sa.bindparam("position_"), definition=sa.bindparam("definition_"))
)
_NEVER_RUN: Final = {
    **dict.fromkeys(("exec_count", "error_count", "faults"), 0),
    **dict.fromkeys(("started_at", "ended_at", "last_error_at", "retry_at")),
    "error": "",
    "failed": False,
}


def replace(
    connection: sa.Connection,
    configuration_id: int,
    former: Sequence[StoredTask],
    definitions: Sequence[TaskDefinition],
) -> set[str]:
    """Replace the tasks of a configuration, without those that are gone; return the names of new and changed ones.

    A task whose name survives keeps its row, and with it statistics, pause, log and memory of files (76).
    """
    by_name = {one.name: one for one in former}
    added, moved, changed = list[dict[str, Any]](), list[dict[str, Any]](), set[str]()
    for position, definition in enumerate(definitions):
        stored = by_name.get(definition.name)
        if stored is not None and stored.definition == definition and stored.position == position:
            continue
        text = json.dumps(definition.to_json())
        if stored is None:
            row = {"configuration": configuration_id, "name": definition.name, "paused": False}
            added.append({**row, "position": position, "definition": text})
        else:
            moved.append({"id_": stored.id, "position_": position, "definition_": text})
        if stored is None or stored.definition != definition:
            changed.add(definition.name)
    if moved:
        connection.execute(_MOVE, moved)
    if added:
        connection.execute(sa.insert(task), added)
    return changed


def delete(connection: sa.Connection, gone: Sequence[StoredTask], reason: str) -> None:
    """Delete tasks with their logs, and let their executions under way end with the text `reason` (73)."""
    for some in _parts(gone):
        ids = [one.id for one in some]
        # Tasks come before their executions, as for workers.
        connection.execute(sa.select(_C.id).where(_C.id.in_(ids)).order_by(_C.id).with_for_update())
        under_way = sa.update(execution).where(execution.c.task_id.in_(ids), execution.c.status != "over")
        connection.execute(under_way.values(stop=reason))
        connection.execute(sa.delete(task).where(_C.id.in_(ids)))
        TASK_LOG.remove(connection, [one.log for one in some])


def set_paused(connection: sa.Connection, ids: Collection[int], *, paused: bool) -> None:
    """Pause tasks, or end their pause."""
    for some in _parts(sorted(ids)):
        connection.execute(sa.update(task).where(_C.id.in_(some)).values(paused=paused))


def reset(connection: sa.Connection, chosen: Sequence[StoredTask]) -> None:
    """Clear counters, times, last error and log of tasks (83); one that runs is counted when it ends."""
    for some in _parts(chosen):
        connection.execute(sa.update(task).where(_C.id.in_([one.id for one in some])).values(_NEVER_RUN))
        TASK_LOG.remove(connection, [one.log for one in some])
        executions.forget(connection, [one.id for one in some])


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(rows), _AT_ONCE):
        yield rows[begin : begin + _AT_ONCE]
