"""Write rows of executions directly, for the tests of what reads and deletes them."""

import sqlalchemy as sa

from sertainty_svc.store.tables import execution, sweeps


def add_execution(connection, of, *, status="queued", number=None, swept=False):
    """Add an execution of a stored task and return its id; columns without a value of their own are 0 or empty."""
    if number is None:
        counted = sa.select(sa.func.count()).where(execution.c.task_id == of.id)
        number = connection.execute(counted).scalar_one()
    values = {
        column.name: "" if isinstance(column.type, sa.String) else 0
        for column in execution.c
        if not (column.nullable or column.primary_key or column.server_default)
    }
    values |= {"task_id": of.id, "configuration_id": of.configuration_id, "configuration": of.configuration}
    values |= {"task": of.name, "number": number, "status": status, "has_files": False, "transfer_id": "41" * 24}
    id_ = connection.execute(sa.insert(execution).values(**values).returning(execution.c.id)).scalar_one()
    if swept:
        connection.execute(sa.insert(sweeps).values(execution=id_, tries=0, due_at=0))
    return id_
