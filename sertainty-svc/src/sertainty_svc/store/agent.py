"""Store the agent's state: the wished one, and its worker's heartbeat."""

from typing import Any, Final

import sqlalchemy as sa

from mft_common.database.statements import Connection, Statement
from sertainty_svc.domain.agent import Agent
from sertainty_svc.store.tables import agent, configuration, execution

_COLUMNS: Final = tuple(column for column in agent.c if column.name != "id")
_NAMES: Final = tuple(column.name for column in _COLUMNS)
_READ: Final = Statement(sa.select(*_COLUMNS))
_LOCK: Final = sa.select(*_COLUMNS).with_for_update()
_BEAT: Final = agent.update().values(beat_at=sa.bindparam("now"), beats=agent.c.beats + 1)
_ACTIVE_NAME: Final = Statement(sa.select(configuration.c.name).where(configuration.c.id == sa.bindparam("id")))
_OLDER: Final = Statement(
    sa.select(execution.c.id)
    .where(execution.c.status == "running", execution.c.epoch < sa.bindparam("epoch", type_=sa.BigInteger()))
    .limit(1)
)


def find(connection: Connection) -> Agent:
    """Return the agent's state."""
    row = _READ.first(connection, {})
    assert row is not None
    return _agent(row)


def lock(connection: sa.Connection) -> Agent:
    """Return the agent's state, which no other transaction changes before this one ends."""
    return _agent(connection.execute(_LOCK).one())


def update(connection: sa.Connection, **values: Any) -> None:
    """Change columns of the agent."""
    connection.execute(agent.update().values(**values))


def beat(connection: sa.Connection, now: int) -> None:
    """Store a heartbeat, in a transaction that holds the agent's lease."""
    connection.execute(_BEAT, {"now": now})


def active_name(connection: Connection, agent_: Agent) -> str:
    """Return the name of the active configuration, "" where none is active."""
    row = None if agent_.active is None else _ACTIVE_NAME.first(connection, {"id": agent_.active})
    return "" if row is None else str(row[0])


def has_older_executions(connection: Connection, epoch: int) -> bool:
    """Return whether an execution still runs that the agent's last stop is to end (73)."""
    return _OLDER.first(connection, {"epoch": epoch}) is not None


def _agent(row: Any) -> Agent:
    return Agent(**dict(zip(_NAMES, row, strict=True)))
