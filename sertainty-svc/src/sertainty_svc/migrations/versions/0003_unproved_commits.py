"""Make the table of files whose commit an execution has left unproved."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "unproved_commit",
        sa.Column("task", sa.BigInteger(), sa.ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.LargeBinary(16), primary_key=True),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("unproved_commit")
