"""Make the agent's table with its one row, outbox and inbox."""

import sqlalchemy as sa
from alembic import op

from mft_common.events import tables as event_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    agent = op.create_table(
        "agent",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(agent, [{"id": 1, "running": True, "enabled": True, "beat_at": 0}])
    event_tables.create_outbox(op)
    event_tables.create_inbox(op)


def downgrade() -> None:
    event_tables.drop_inbox(op)
    event_tables.drop_outbox(op)
    op.drop_table("agent")
