"""Make the tables of resource monitors, and of what they have seen."""

import sqlalchemy as sa
from alembic import op

from mft_common import watching

revision = "0007"
down_revision = "0006"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "monitor",
        sa.Column("number", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("agent", sa.String(28), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("monitor_name", "monitor", ["name", "agent"], unique=True)
    watching.create_tables(op)


def downgrade() -> None:
    watching.drop_tables(op)
    op.drop_table("monitor")
