"""Store the agent's state: the wished one, and its worker's heartbeat."""

from typing import Final

import sqlalchemy as sa

from mft_common.events import Inbox, Outbox
from sertainty_svc import SERVICE
from sertainty_svc.domain import Agent

metadata: Final = sa.MetaData()
# One row: all workers are one agent.
agent: Final = sa.Table(
    "agent",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("running", sa.Boolean(), nullable=False),
    sa.Column("enabled", sa.Boolean(), nullable=False),
    sa.Column("beat_at", sa.BigInteger(), nullable=False),
)
OUTBOX: Final = Outbox(SERVICE, metadata)
INBOX: Final = Inbox(metadata)

_READ: Final = sa.select(agent.c.running, agent.c.enabled, agent.c.beat_at)
_BEAT: Final = agent.update().values(beat_at=sa.bindparam("now"))


def read_agent(connection: sa.Connection) -> Agent:
    """Return the agent's state."""
    row = connection.execute(_READ).one()
    return Agent(running=row.running, enabled=row.enabled, beat_at=row.beat_at)


def beat(connection: sa.Connection, now: int) -> None:
    """Store a worker's heartbeat."""
    connection.execute(_BEAT, {"now": now})
