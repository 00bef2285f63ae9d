"""Make the tables of diplomat-svc."""

import sqlalchemy as sa
from alembic import op

from mft_common.events import tables

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO clock (id, stamp, answered, sequence) VALUES (1, 0, 0, 0)")
    op.create_table(
        "transactions",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger()),
        sa.Column("last_completion", sa.String(32)),
    )
    op.create_index("transactions_stamp", "transactions", ["stamp"])
    op.create_index("transactions_name", "transactions", ["name"])
    op.create_table(
        "jobs",
        sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("transaction_id", sa.BigInteger(), sa.ForeignKey("transactions.id"), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("variables", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("transfer_id", sa.String(48), nullable=False, unique=True),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=False, unique=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("completion", sa.String(32)),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("successful", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease", sa.Integer(), nullable=False),
    )
    over = sa.text("status <> 'Complete'")
    op.create_index("jobs_open", "jobs", ["status", "sequence"], sqlite_where=over, postgresql_where=over)
    op.create_index("jobs_of_transaction", "jobs", ["transaction_id", "sequence"])
    op.create_table(
        "files",
        sa.Column("sequence", sa.BigInteger(), sa.ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("completion", sa.String(32)),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
    )
    op.create_table(
        "records",
        sa.Column("id", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), sa.ForeignKey("jobs.sequence"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
    )
    op.create_index("records_sequence", "records", ["sequence", "id"])
    op.create_table(
        "workers",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    tables.create_outbox(op)
    tables.create_inbox(op)


def downgrade() -> None:
    tables.drop_inbox(op)
    tables.drop_outbox(op)
    for table in ("workers", "records", "files", "jobs", "transactions", "clock"):
        op.drop_table(table)
