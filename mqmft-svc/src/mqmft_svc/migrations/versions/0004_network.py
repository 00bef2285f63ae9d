"""Store which MFT network a transfer was read from; it is empty for the hub's own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("transfer", sa.Column("network", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("transfer", "network")
