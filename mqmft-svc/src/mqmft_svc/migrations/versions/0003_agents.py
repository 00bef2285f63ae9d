"""Make the tables of what is known of the agents, and of leases."""

import sqlalchemy as sa
from alembic import op

from mft_common.database import leases

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "agent",
        sa.Column("name", sa.String(28), primary_key=True),
        sa.Column("definition", sa.String(64), nullable=False),
        sa.Column("finding", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
    )
    leases.create_table(op)


def downgrade() -> None:
    leases.drop_table(op)
    op.drop_table("agent")
