"""Make the tables of schedules and timers; managed transfers wait in the order in which they began to."""

import sqlalchemy as sa
from alembic import op

from mft_common import schedules

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", sa.String(48), primary_key=True),
        sa.Column("submission", sa.Text(), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.String(48), nullable=False),
    )
    schedules.create_table(op)
    op.add_column("managed", sa.Column("queued_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE managed SET queued_at = submitted_at")
    op.drop_index("managed_place", "managed")
    op.create_index("managed_place", "managed", ["status", sa.text("priority DESC"), "queued_at"])


def downgrade() -> None:
    op.drop_index("managed_place", "managed")
    op.drop_column("managed", "queued_at")
    op.create_index("managed_place", "managed", ["status", sa.text("priority DESC"), "submitted_at"])
    schedules.drop_table(op)
    op.drop_table("schedule")
