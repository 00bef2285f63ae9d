"""Store a file's last modification, and size and digest of what was delivered where its bytes were changed."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("files", sa.Column("modified_at", sa.BigInteger()))
    op.add_column("files", sa.Column("delivered_size", sa.BigInteger()))
    op.add_column("files", sa.Column("delivered_sha256", sa.String(64)))


def downgrade() -> None:
    op.drop_column("files", "delivered_sha256")
    op.drop_column("files", "delivered_size")
    op.drop_column("files", "modified_at")
