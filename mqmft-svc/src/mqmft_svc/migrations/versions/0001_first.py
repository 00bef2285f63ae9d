"""Make the record's tables: transfers, their items, the counter, outbox and inbox."""

import sqlalchemy as sa
from alembic import op

from mft_common.events import tables as event_tables

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXTS = (
    *("description", "source_agent", "source_qmgr", "destination_agent", "destination_qmgr"),
    *("home_qmgr", "host", "account", "mqmd_user", "label", "job_name", "user_properties"),
)
_NUMBERS = ("files", "successes", "failures", "warnings", "bytes_sent", "retries")

# The database itself counts, in the transaction of each insert and delete. On PostgreSQL each connection has a row of
# its own to count in, or else workers would wait for one another, and sometimes for each other.
_COUNT_SQLITE = """
    CREATE TRIGGER transfer_{what} AFTER {what} ON transfer BEGIN
        INSERT INTO counter (slot, value) VALUES (0, {by}) ON CONFLICT (slot) DO UPDATE SET value = value + {by};
    END
"""
_COUNT_POSTGRESQL = """
    CREATE FUNCTION count_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE amount integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    BEGIN
        INSERT INTO counter (slot, value) VALUES (mod(pg_backend_pid(), 64), amount)
        ON CONFLICT (slot) DO UPDATE SET value = counter.value + amount;
        RETURN NULL;
    END $$
"""
_COUNTING = {
    "sqlite": (_COUNT_SQLITE.format(what="INSERT", by="1"), _COUNT_SQLITE.format(what="DELETE", by="-1")),
    "postgresql": (
        _COUNT_POSTGRESQL,
        """
        CREATE TRIGGER transfer_count AFTER INSERT OR DELETE ON transfer
        FOR EACH ROW EXECUTE FUNCTION count_transfer()
        """,
    ),
}


def upgrade() -> None:
    op.create_table(
        "transfer",
        sa.Column("arrival", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("head_rank", sa.SmallInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NUMBERS),
    )
    op.create_index("transfer_id", "transfer", ["id"], unique=True)
    op.create_index("transfer_place", "transfer", ["started_at", "arrival"])
    op.create_table(
        "item",
        sa.Column("transfer", _NUMBER, sa.ForeignKey("transfer.arrival", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("leaves", sa.Text(), nullable=False),
        sa.Column("older", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counter",
        sa.Column("slot", sa.SmallInteger(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    for statement in _COUNTING[op.get_bind().dialect.name]:
        op.execute(sa.text(statement))
    event_tables.create_outbox(op)
    event_tables.create_inbox(op)


def downgrade() -> None:
    event_tables.drop_inbox(op)
    event_tables.drop_outbox(op)
    op.drop_table("counter")
    op.drop_table("item")
    op.drop_table("transfer")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text("DROP FUNCTION count_transfer()"))
