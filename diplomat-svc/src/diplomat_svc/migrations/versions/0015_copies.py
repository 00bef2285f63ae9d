"""Store which delivered files wait for their copies, and which members of an archive are delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("files", sa.Column("copies_pending", sa.String(32)))
    op.create_table(
        "members",
        sa.Column("sequence", sa.BigInteger(), sa.ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("archive_sha256", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.Column("archived", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("members")
    op.drop_column("files", "copies_pending")
