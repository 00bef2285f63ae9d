"""Make the table of the queues that managed transfers take messages from."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "managed_queue",
        sa.Column("transfer", sa.String(48), sa.ForeignKey("managed.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("agent", sa.String(28), primary_key=True),
        sa.Column("queue", sa.String(255), primary_key=True),
        sa.Column("claimed", sa.Boolean(), nullable=False),
    )
    op.create_index("managed_queue_name", "managed_queue", ["agent", "queue"])


def downgrade() -> None:
    op.drop_table("managed_queue")
