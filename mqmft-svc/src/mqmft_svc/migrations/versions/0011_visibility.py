"""Make the tables that say from which moment on transfers are visible, and how many are not."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

# As with the counter of all transfers, the database itself counts, in the transaction of each change of a place, and on
# PostgreSQL in a row of each connection. Without a moment nothing is hidden and nothing counted.
_SQLITE = """
    CREATE TRIGGER transfer_hidden_{name} AFTER {event} ON transfer {when} BEGIN
        INSERT INTO hidden (slot, value) SELECT 0, {by} FROM visible_since WHERE {by} <> 0
        ON CONFLICT (slot) DO UPDATE SET value = value + excluded.value;
    END
"""
_NEW, _OLD = "(NEW.started_at < since)", "(OLD.started_at < since)"
_CHANGED = "WHEN NEW.started_at <> OLD.started_at"
_POSTGRESQL = """
    CREATE FUNCTION count_hidden() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE amount integer := 0; moment bigint;
    BEGIN
        SELECT since INTO moment FROM visible_since;
        IF moment IS NULL THEN RETURN NULL; END IF;
        IF TG_OP <> 'DELETE' AND NEW.started_at < moment THEN amount := amount + 1; END IF;
        IF TG_OP <> 'INSERT' AND OLD.started_at < moment THEN amount := amount - 1; END IF;
        IF amount <> 0 THEN
            INSERT INTO hidden (slot, value) VALUES (mod(pg_backend_pid(), 64), amount)
            ON CONFLICT (slot) DO UPDATE SET value = hidden.value + amount;
        END IF;
        RETURN NULL;
    END $$
"""
_TRIGGER = (
    "CREATE TRIGGER transfer_{name} AFTER {event} ON transfer FOR EACH ROW {when} EXECUTE FUNCTION count_hidden()"
)
_MOVED = "WHEN (NEW.started_at <> OLD.started_at)"
_COUNTING = {
    "sqlite": (
        _SQLITE.format(name="insert", event="INSERT", when="", by=_NEW),
        _SQLITE.format(name="delete", event="DELETE", when="", by=f"-{_OLD}"),
        _SQLITE.format(name="update", event="UPDATE OF started_at", when=_CHANGED, by=f"({_NEW} - {_OLD})"),
    ),
    "postgresql": (
        _POSTGRESQL,
        _TRIGGER.format(name="hidden", event="INSERT OR DELETE", when=""),
        _TRIGGER.format(name="moved", event="UPDATE OF started_at", when=_MOVED),
    ),
}


def upgrade() -> None:
    op.create_table(
        "visible_since",
        sa.Column("id", sa.SmallInteger(), primary_key=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "hidden",
        sa.Column("slot", sa.SmallInteger(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    for statement in _COUNTING[op.get_bind().dialect.name]:
        op.execute(sa.text(statement))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text("DROP FUNCTION count_hidden() CASCADE"))
    else:
        for name in ("insert", "delete", "update"):
            op.execute(sa.text(f"DROP TRIGGER transfer_hidden_{name}"))
    op.drop_table("hidden")
    op.drop_table("visible_since")
