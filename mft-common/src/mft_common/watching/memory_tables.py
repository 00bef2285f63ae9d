"""Define the tables of the memory of watches, and make them in migrations."""

from typing import Final, Protocol

import sqlalchemy as sa

DIGEST_BYTES: Final = 16
# The key of the row that counts the changes of all definitions.
COUNTER: Final = ""


class Operations(Protocol):
    """The part of alembic's `op` that a migration uses here."""

    def get_bind(self) -> sa.Connection:
        """Return the migration's connection."""
        ...


def memory_tables(metadata: sa.MetaData, name: str) -> tuple[sa.Table, sa.Table, sa.Table]:
    """Return the tables of the watches of one service, of what they have handled, and of folders to be scanned."""
    watch = sa.Table(
        name,
        metadata,
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
    )
    handled = sa.Table(
        f"{name}_handled",
        metadata,
        sa.Column("watch", sa.String(255), primary_key=True),
        sa.Column("name", sa.LargeBinary(DIGEST_BYTES), primary_key=True),
        sa.Column("identity", sa.LargeBinary(DIGEST_BYTES), nullable=False),
        sa.Column("handled_at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    woken = sa.Table(
        f"{name}_woken",
        metadata,
        sa.Column("digest", sa.LargeBinary(DIGEST_BYTES), primary_key=True),
        sa.Column("folder", sa.Text(), nullable=False),
    )
    return watch, handled, woken


def create_tables(op: Operations, name: str = "watch") -> None:
    """Create the tables in a migration."""
    metadata = sa.MetaData()
    watch, _, _ = memory_tables(metadata, name)
    metadata.create_all(op.get_bind(), checkfirst=False)
    op.get_bind().execute(sa.insert(watch).values(key=COUNTER, generation=0, definition=""))


def drop_tables(op: Operations, name: str = "watch") -> None:
    """Drop the tables in a migration."""
    metadata = sa.MetaData()
    memory_tables(metadata, name)
    metadata.drop_all(op.get_bind(), checkfirst=False)
