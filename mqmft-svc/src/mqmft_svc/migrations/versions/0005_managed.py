"""Make the tables of managed transfers, of their files, and of the keys of repeated requests."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "managed",
        sa.Column("id", sa.String(48), primary_key=True),
        sa.Column("submission", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("source_agent", sa.String(28), nullable=False),
        sa.Column("destination_agent", sa.String(28), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger()),
        sa.Column("recovering_since", sa.BigInteger()),
        sa.Column("retries", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
    )
    op.create_index("managed_place", "managed", ["status", sa.text("priority DESC"), "submitted_at"])
    op.create_table(
        "managed_file",
        sa.Column("transfer", sa.String(48), sa.ForeignKey("managed.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True),
        sa.Column("data", sa.Text(), nullable=False),
    )
    op.create_table(
        "submission_key",
        sa.Column("account", sa.String(255), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("transfer", sa.String(48), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("submission_key_at", "submission_key", ["at"])


def downgrade() -> None:
    op.drop_table("submission_key")
    op.drop_table("managed_file")
    op.drop_table("managed")
