"""Store configurations: their names, their documents of tasks, and which of them is active."""

from typing import Final

import sqlalchemy as sa

from mft_common.database.statements import Connection, Statement
from sertainty_svc.store.tables import agent, configuration, stored_object

# The document of a new configuration (45).
NO_TASKS: Final = b'<Tasks version="1"/>'
_C: Final = configuration.c
_LOCK: Final = sa.select(agent.c.id).with_for_update()
_NAMES: Final = Statement(sa.select(_C.name))
_BY_NAME: Final = Statement(sa.select(_C.id).where(_C.name == sa.bindparam("name")))
_CONTENTS: Final = Statement(sa.select(_C.tasks).where(_C.name == sa.bindparam("name")))
_COUNT: Final = Statement(sa.select(sa.func.count()).select_from(configuration))


def lock(connection: sa.Connection) -> None:
    """Let nobody else change configurations, tasks or the agent before this transaction ends; the first lock of each.

    The lock is that of the agent's row, so that two transactions never wait for each other.
    """
    connection.execute(_LOCK)


def names(connection: Connection) -> list[str]:
    """Return the names of all configurations."""
    return [str(name) for (name,) in _NAMES.all(connection, {})]


def find(connection: Connection, name: str) -> int | None:
    """Return the id of a configuration."""
    row = _BY_NAME.first(connection, {"name": name})
    return None if row is None else int(row[0])


def contents(connection: Connection, name: str) -> bytes | None:
    """Return the document of a configuration's tasks, byte for byte as it was saved."""
    row = _CONTENTS.first(connection, {"name": name})
    return None if row is None else bytes(row[0])


def count(connection: Connection) -> int:
    """Return how many configurations there are."""
    row = _COUNT.first(connection, {})
    assert row is not None
    return int(row[0])


def insert(connection: sa.Connection, name: str, account: str, now: int) -> None:
    """Add a configuration without tasks."""
    values = {"name": name, "tasks": NO_TASKS, "account": account, "saved_at": now}
    connection.execute(sa.insert(configuration).values(values))


def save(connection: sa.Connection, id_: int, document: bytes, account: str, now: int) -> None:
    """Store the document of a configuration's tasks, and the account that saved it."""
    saved = sa.update(configuration).where(_C.id == id_)
    connection.execute(saved.values(tasks=document, account=account, saved_at=now))


def activate(connection: sa.Connection, id_: int | None) -> None:
    """Make a configuration the only active one; with None there is none."""
    connection.execute(sa.update(agent).values(active=id_))


def delete(connection: sa.Connection, id_: int) -> None:
    """Delete a configuration with its tasks, IDs and scripts; none is active where it was."""
    connection.execute(sa.update(agent).where(agent.c.active == id_).values(active=None))
    # In this order: the first statement waits for those that are about to add an object, the second sees it.
    connection.execute(sa.delete(configuration).where(_C.id == id_))
    connection.execute(sa.delete(stored_object).where(stored_object.c.configuration == id_))
