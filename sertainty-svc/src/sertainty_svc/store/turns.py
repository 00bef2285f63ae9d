"""Lock a task, and read whether a new execution of it may begin now (79, 80)."""

from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

from sertainty_svc.domain.stored_tasks import StoredTask, may_run
from sertainty_svc.store import agent, tasks
from sertainty_svc.store.tables import execution, task

_AT_ONCE: Final = 1000


def lock(connection: sa.Connection, task_id: int) -> StoredTask | None:
    """Lock the row of a task until the transaction ends, before any row of its watch or timer; None where it is gone.

    Whoever changes a task locks this row first as well, so that two transactions never wait for each other.
    """
    locked = sa.select(task.c.id).where(task.c.id == task_id).with_for_update()
    if connection.execute(locked).scalar() is None:
        return None
    return tasks.by_id(connection, task_id)


def has_open(connection: sa.Connection, task_id: int) -> bool:
    """Return whether an execution of a task is queued or runs."""
    opened = sa.select(execution.c.id).where(execution.c.task_id == task_id, execution.c.status != "over").limit(1)
    return connection.execute(opened).first() is not None


def refusal(connection: sa.Connection, stored: StoredTask | None) -> str:
    """Return why no new execution of a task may begin, "" where one may (70, 71, 75, 80, 82)."""
    if stored is None:
        return "the task is gone"
    state = agent.find(connection)
    # Whether a worker is alive does not matter: this one is.
    wished = state.status(state.beat_at)
    if not may_run(stored, wished, active=state.active == stored.configuration_id):
        return "the task may not run"
    return "an execution is under way" if has_open(connection, stored.id) else ""


def after_faults(connection: sa.Connection, configuration_id: int) -> list[StoredTask]:
    """Return the tasks of a configuration that wait after a fault of their own, or have run again since (86)."""
    has_faults = sa.or_(task.c.retry_at.is_not(None), task.c.faults > 0)
    waiting = sa.select(task.c.id).where(task.c.configuration == configuration_id, has_faults)
    found = (tasks.by_id(connection, id_) for id_ in connection.execute(waiting.order_by(task.c.id)).scalars().all())
    return [one for one in found if one is not None]


def existing(connection: sa.Connection, task_ids: Collection[int]) -> set[int]:
    """Return those of some ids that are tasks."""
    wanted, found = sorted(task_ids), set[int]()
    for begin in range(0, len(wanted), _AT_ONCE):
        some = sa.select(task.c.id).where(task.c.id.in_(wanted[begin : begin + _AT_ONCE]))
        found.update(connection.execute(some).scalars())
    return found
