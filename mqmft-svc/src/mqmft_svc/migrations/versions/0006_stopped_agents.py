"""Add since when an operator has stopped an agent."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("agent", sa.Column("stopped_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("agent", "stopped_at")
