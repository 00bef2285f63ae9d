"""Rename the table of deleted blobs and add retries to it; add the tables of running reads and of sweeps."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.rename_table("doomed_blobs", "deleted_blobs")
    op.execute("ALTER TABLE deleted_blobs RENAME COLUMN since TO deleted_at")
    op.add_column("deleted_blobs", sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("deleted_blobs", sa.Column("retry_at", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "open_reads",
        sa.Column("fileset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("process", sa.String(32), primary_key=True),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sweeps",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("sweeps")
    op.drop_table("open_reads")
    op.drop_column("deleted_blobs", "retry_at")
    op.drop_column("deleted_blobs", "failures")
    op.execute("ALTER TABLE deleted_blobs RENAME COLUMN deleted_at TO since")
    op.rename_table("deleted_blobs", "doomed_blobs")
