"""Store which delivered files wait for their copies, and which members of an archive are delivered."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_JOBS = sa.table("jobs", sa.column("sequence"), sa.column("status"), sa.column("definition"))
_FILES = sa.table(
    "files", sa.column("sequence"), sa.column("completion"), sa.column("version"), sa.column("copies_pending")
)


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
    _write_pending(op.get_bind())


def _write_pending(connection: sa.Connection) -> None:
    """Write which files of jobs that are not over lack copies: until now, those were the ones without a version."""
    f, delivered = _FILES.c, ("Successful", "Warning")
    for job in connection.execute(sa.select(_JOBS).where(_JOBS.c.status != "Complete")).all():
        if any(json.loads(job.definition).get("archive", {}).values()):
            lacking = (f.sequence == job.sequence, f.completion.in_(delivered), f.version == "")
            connection.execute(sa.update(_FILES).where(*lacking).values(copies_pending=f.completion))


def downgrade() -> None:
    op.drop_table("members")
    op.drop_column("files", "copies_pending")
