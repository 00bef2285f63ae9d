"""Put `task.changed.v1` into the outbox, in the transaction of the change that it reports (112)."""

from collections.abc import Iterable

import sqlalchemy as sa

from mft_common.events import TaskChanged
from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.store import agent
from sertainty_svc.store.tables import OUTBOX


def add_event(
    connection: sa.Connection,
    task: StoredTask,
    change: str,
    *,
    now: int,
    transfer_id: str | None = None,
    caused_by: str | None = None,
) -> None:
    """Report a change of a task as it is after the change: one of `mft_common.events` TASK_CHANGES.

    `transfer_id` is that of the execution that started or ended, where it is a transfer, and `caused_by` the id of the
    transfer whose file started it.
    """
    add_events(connection, [task], change, now=now, transfer_id=transfer_id, caused_by=caused_by)


def add_events(
    connection: sa.Connection,
    tasks: Iterable[StoredTask],
    change: str,
    *,
    now: int,
    transfer_id: str | None = None,
    caused_by: str | None = None,
) -> None:
    """Report the same change of several tasks."""
    stored = agent.find(connection)
    status = stored.status(now)
    events = [
        TaskChanged(
            configuration=task.configuration,
            task=task.name,
            change=change,
            status=task.status(status, active=task.configuration_id == stored.active),
            exec_count=task.exec_count,
            error_count=task.error_count,
            error=task.error or None,
            transfer_id=transfer_id,
            caused_by=caused_by,
        )
        for task in tasks
    ]
    OUTBOX.add(connection, *events)
