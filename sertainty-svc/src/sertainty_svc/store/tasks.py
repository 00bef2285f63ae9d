"""Read and change tasks with their statistics."""

import json
from typing import Any, Final

import sqlalchemy as sa

from mft_common.database.statements import Connection, Statement
from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.domain.tasks import TaskDefinition
from sertainty_svc.store.tables import configuration, execution, task

_C: Final = task.c
_PLAIN: Final = (
    *("id", "name", "position", "paused", "exec_count", "error_count", "executions", "faults"),
    *("started_at", "ended_at", "last_error_at", "retry_at", "error", "failed"),
)
_RUNNING: Final = (
    sa.select(execution.c.id).where(execution.c.task_id == _C.id, execution.c.status == "running").exists()
)
_SELECT: Final = (
    sa.select(
        task,
        configuration.c.name.label("configuration_name"),
        configuration.c.account.label("account"),
        _RUNNING.label("running"),
    )
    .join_from(task, configuration, configuration.c.id == _C.configuration)
    .order_by(_C.configuration, _C.position)
)
_FAILED: Final = Statement(
    sa.select(_C.definition).where(
        _C.configuration == sa.bindparam("configuration", type_=sa.BigInteger()), _C.failed == sa.true()
    )
)


def find(connection: sa.Connection, configuration_id: int, name: str) -> StoredTask | None:
    """Return a task by its configuration and name."""
    row = connection.execute(_SELECT.where(_C.configuration == configuration_id, _C.name == name)).one_or_none()
    return None if row is None else _task(row)


def by_id(connection: sa.Connection, id_: int) -> StoredTask | None:
    """Return a task by its id; None where it is gone."""
    row = connection.execute(_SELECT.where(_C.id == id_)).one_or_none()
    return None if row is None else _task(row)


def by_names(connection: sa.Connection, configuration_name: str, name: str) -> StoredTask | None:
    """Return a task by the name of its configuration and its own; None where either is not there."""
    row = connection.execute(_SELECT.where(configuration.c.name == configuration_name, _C.name == name)).one_or_none()
    return None if row is None else _task(row)


def has_errors(connection: Connection, configuration_id: int) -> bool:
    """Return whether the latest execution of an enabled task failed, and no success or reset followed (69)."""
    failed = _FAILED.all(connection, {"configuration": configuration_id})
    return any(json.loads(definition)["enabled"] for (definition,) in failed)


def of_configuration(connection: sa.Connection, configuration_id: int) -> list[StoredTask]:
    """Return the tasks of a configuration in the order of its document."""
    return [_task(row) for row in connection.execute(_SELECT.where(_C.configuration == configuration_id))]


def lock(connection: sa.Connection, id_: int) -> None:
    """Let nobody else change a task before the end of this transaction; its row comes before those that follow it."""
    connection.execute(sa.select(_C.id).where(_C.id == id_).with_for_update())


def update(connection: sa.Connection, id_: int, **values: Any) -> None:
    """Change columns of a task."""
    connection.execute(sa.update(task).where(_C.id == id_).values(**values))


def _task(row: Any) -> StoredTask:
    return StoredTask(
        configuration_id=row.configuration,
        configuration=row.configuration_name,
        account=row.account,
        definition=TaskDefinition.from_json(json.loads(row.definition)),
        running=bool(row.running),
        **{name: getattr(row, name) for name in _PLAIN},
    )
