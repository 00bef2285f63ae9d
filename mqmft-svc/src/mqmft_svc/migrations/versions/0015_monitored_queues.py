"""Add to monitors the transfer that each has begun last."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("monitor", sa.Column("last_transfer", sa.String(48)))


def downgrade() -> None:
    op.drop_column("monitor", "last_transfer")
