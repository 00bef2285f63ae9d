"""Store which end of a job the audit record tells of, and which jobs that are over have none yet."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("audit", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "audits",
        sa.Column("sequence", sa.BigInteger(), sa.ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
    )
    op.create_index("audits_order", "audits", ["tries", "sequence"])


def downgrade() -> None:
    op.drop_table("audits")
    op.drop_column("jobs", "audit")
