"""Store when a job may begin its next attempt, and what that attempt needs to go on with a file."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("due_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("files", sa.Column("checkpoint", sa.Text()))
    op.add_column("files", sa.Column("version", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("files", "version")
    op.drop_column("files", "checkpoint")
    op.drop_column("jobs", "due_at")
