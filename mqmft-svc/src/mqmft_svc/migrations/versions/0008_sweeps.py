"""Make the table of the managed transfers that are over and may have left unfinished files."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "sweeps",
        sa.Column("transfer", sa.String(48), sa.ForeignKey("managed.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("sweeps_due", "sweeps", ["due_at", "transfer"])
    op.execute("INSERT INTO sweeps SELECT id, 0, due_at FROM managed WHERE status = 'leaving'")
    op.execute("UPDATE managed SET status = 'over' WHERE status = 'leaving'")


def downgrade() -> None:
    op.execute("UPDATE managed SET status = 'leaving' WHERE id IN (SELECT transfer FROM sweeps)")
    op.drop_table("sweeps")
