"""Add to the keys of requests when one was last repeated, and find them by the transfer."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("submission_key", sa.Column("repeated_at", sa.BigInteger()))
    op.create_index("submission_key_transfer", "submission_key", ["transfer"])


def downgrade() -> None:
    op.drop_index("submission_key_transfer", "submission_key")
    op.drop_column("submission_key", "repeated_at")
