"""The gateway's tables."""

from typing import Final

import sqlalchemy as sa

from gateway.migrations import HEAD
from mft_common.database import Database
from mft_common.directory import GATEWAY
from mft_common.events.outbox import Outbox
from mft_common.events.tables import enter_cluster

metadata = sa.MetaData()

# A removed account keeps its row, so that neither its number nor its revision is ever used again.
ENABLED: Final = "enabled"
DISABLED: Final = "disabled"
REMOVED: Final = "removed"

accounts = sa.Table(
    "accounts",
    metadata,
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

sessions = sa.Table(
    "sessions",
    metadata,
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
    sa.Index("sessions_service", "service", "id"),
    sa.Index("sessions_account", "account", "service"),
    sa.Index("sessions_expires_at", "expires_at"),
)

login_throttle = sa.Table(
    "login_throttle",
    metadata,
    sa.Column("key", sa.String(66), primary_key=True),
    sa.Column("clear_at", sa.BigInteger(), nullable=False),
    sa.Index("login_throttle_clear_at", "clear_at"),
)

prompt_failures = sa.Table(
    "prompt_failures",
    metadata,
    sa.Column("key", sa.String(66), primary_key=True),
    sa.Column("failures", sa.Integer(), nullable=False),
    sa.Column("failed_at", sa.BigInteger(), nullable=False),
)

key_values = sa.Table(
    "key_values",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.LargeBinary(), nullable=False),
)

OUTBOX = Outbox(GATEWAY, metadata)


def open_database(url: str) -> Database:
    """Open the gateway's database and bring its tables up to date."""
    database = Database(url, schema=GATEWAY, metadata=metadata, migrations="gateway.migrations", head=HEAD)
    database.migrate(enter_cluster)
    return database
