"""Define the table of timers, and make it in migrations."""

from typing import Protocol

import sqlalchemy as sa


class Operations(Protocol):
    """The part of alembic's `op` that a migration uses here."""

    def get_bind(self) -> sa.Connection:
        """Return the migration's connection."""
        ...


def timer_table(metadata: sa.MetaData, name: str) -> sa.Table:
    """Return the table of timers of one service."""
    table = sa.Table(
        name,
        metadata,
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("misfire", sa.String(16), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("wake_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("tolerance", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.BigInteger()),
        sa.Column("unreadable", sa.Text(), nullable=False, server_default=""),
    )
    sa.Index(f"{name}_wake_at", table.c.wake_at)
    return table


def create_table(op: Operations, name: str = "timer") -> None:
    """Create the table in a migration."""
    metadata = sa.MetaData()
    timer_table(metadata, name)
    metadata.create_all(op.get_bind(), checkfirst=False)


def drop_table(op: Operations, name: str = "timer") -> None:
    """Drop the table in a migration."""
    metadata = sa.MetaData()
    timer_table(metadata, name)
    metadata.drop_all(op.get_bind(), checkfirst=False)
