"""Add to managed transfers the receiver of the call that comes next; old ones find it out when they are taken."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("managed", sa.Column("receiver", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("managed", "receiver")
