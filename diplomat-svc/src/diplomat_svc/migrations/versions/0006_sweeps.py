"""Make the table of the jobs that may have left temporary files."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "sweeps",
        sa.Column("sequence", sa.BigInteger(), sa.ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("sweeps_due", "sweeps", ["due_at", "sequence"])


def downgrade() -> None:
    op.drop_table("sweeps")
