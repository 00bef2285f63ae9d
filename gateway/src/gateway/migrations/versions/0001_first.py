"""Make the tables of the gateway."""

import sqlalchemy as sa
from alembic import op

from mft_common.events import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("expired", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("password_changed_at", sa.BigInteger(), nullable=False),
        sa.Column("grants", sa.Text(), nullable=False),
        sa.Column("prompts", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("public_id", sa.String(36), nullable=False, unique=True),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("account", sa.String(255), sa.ForeignKey("accounts.name"), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("idle", sa.BigInteger()),
        sa.Column("absolute_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("sessions_service", "sessions", ["service", "id"])
    op.create_index("sessions_account", "sessions", ["account", "service"])
    op.create_index("sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "brake",
        sa.Column("key", sa.String(66), primary_key=True),
        sa.Column("clear_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("brake_clear_at", "brake", ["clear_at"])
    op.create_table(
        "prompt_failures",
        sa.Column("key", sa.String(66), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "kept",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.LargeBinary(), nullable=False),
    )
    tables.create_outbox(op)


def downgrade() -> None:
    tables.drop_outbox(op)
    for table in ("kept", "prompt_failures", "brake", "sessions", "accounts"):
        op.drop_table(table)
