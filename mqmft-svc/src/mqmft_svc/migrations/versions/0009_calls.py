"""Store how the calls of managed transfers went, and make the table of calls by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("managed", sa.Column("calls", sa.Text(), nullable=False, server_default="{}"))
    op.create_table(
        "managed_call",
        sa.Column("arrival", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("agent", sa.String(28), nullable=False),
        sa.Column("qmgr", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("job_name", sa.Text(), nullable=False),
        sa.Column("user_properties", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("result_code", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("managed_call_id", "managed_call", ["id"], unique=True)
    op.create_index("managed_call_place", "managed_call", ["started_at", "arrival"])
    op.create_index("managed_call_due", "managed_call", ["phase", "due_at", "arrival"])


def downgrade() -> None:
    op.drop_table("managed_call")
    op.drop_column("managed", "calls")
