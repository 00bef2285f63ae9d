"""Count the runs of the script of an execution without files."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("execution", sa.Column("runs", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("execution", sa.Column("ran", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("execution", "ran")
    op.drop_column("execution", "runs")
