"""Make the table of the times by which jobs are late."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "lates",
        sa.Column("sequence", sa.BigInteger(), sa.ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False),
        sa.Column("rule", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("lates_due", "lates", ["due_at", "sequence"])


def downgrade() -> None:
    op.drop_table("lates")
