"""Move the log of jobs to the tables that all services share."""

import sqlalchemy as sa
from alembic import op

from mft_common import joblog

revision = "0004"
down_revision = "0003"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOVE = """
    INSERT INTO job_log (subject, at, severity, text)
    SELECT CAST(sequence AS VARCHAR(128)), at, severity, text FROM records ORDER BY id
"""
_MOVE_BACK = """
    INSERT INTO records (sequence, at, severity, text)
    SELECT CAST(subject AS BIGINT), at, severity, text FROM job_log ORDER BY id
"""


def upgrade() -> None:
    joblog.create_tables(op)
    op.execute(_MOVE)
    op.drop_table("records")


def downgrade() -> None:
    op.create_table(
        "records",
        sa.Column("id", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), sa.ForeignKey("jobs.sequence"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
    )
    op.create_index("records_sequence", "records", ["sequence", "id"])
    op.execute(_MOVE_BACK)
    joblog.drop_tables(op)
