"""Store the agent's state: the wished one, and its worker's heartbeat."""

from typing import Final

import sqlalchemy as sa

from sertainty_svc.domain.agent import Agent
from sertainty_svc.store.tables import agent

_READ: Final = sa.select(*(column for column in agent.c if column.name != "id"))
_BEAT: Final = agent.update().values(beat_at=sa.bindparam("now"))


def find(connection: sa.Connection) -> Agent:
    """Return the agent's state."""
    return Agent(**connection.execute(_READ).one()._asdict())


def beat(connection: sa.Connection, now: int) -> None:
    """Store a worker's heartbeat."""
    connection.execute(_BEAT, {"now": now})
