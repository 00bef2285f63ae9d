"""Keep what runs in step with the tasks of the active configuration; no worker watches folders or sets timers yet."""

from collections.abc import Sequence
from pathlib import PurePath

import sqlalchemy as sa

from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.store import tasks
from sertainty_svc.store.tables import task_failure


def sync(_connection: sa.Connection, _now: int) -> None:
    """Follow a change of the agent, of configurations or of tasks, in its transaction."""


def retry_faults(_connection: sa.Connection, _roots: Sequence[PurePath]) -> None:
    """Let tasks that wait after a fault of their own try again at once, after a save (78, 86)."""


def forget_failures(connection: sa.Connection, task: StoredTask) -> None:
    """Let the failed files of a task be taken again (83), and the task itself after a fault of its own."""
    tasks.update(connection, task.id, faults=0, retry_at=None)
    connection.execute(sa.delete(task_failure).where(task_failure.c.task == task.id))
