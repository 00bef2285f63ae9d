"""Store the state of a resumable upload's SHA-256, so that any process continues it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("resumable_uploads", sa.Column("digested", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("resumable_uploads", sa.Column("digest_state", sa.LargeBinary))


def downgrade() -> None:
    op.drop_column("resumable_uploads", "digest_state")
    op.drop_column("resumable_uploads", "digested")
