"""Define the tables of events: the outbox of a producer, and the inbox of a consumer.

Migrations create them by `create_outbox(op)` and `create_inbox(op)`, from the definitions that the queries use.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement

from mft_common.errors import ConfigError

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


# A transaction number as outboxes keep it: the generation in the upper bits, PostgreSQL's own number in the lower 48.
GENERATION_BITS: Final = 48
# Without the schema: a connection's search_path finds it beside the outbox that it belongs to.
generations: Final = sa.Table(
    "outbox_generation",
    sa.MetaData(),
    sa.Column("cluster", sa.String(32), primary_key=True),
    sa.Column("number", sa.BigInteger(), nullable=False),
)


class current_tx(ColumnElement[int]):  # noqa: N801 -- named like the SQL function that it stands for
    """The number of the current transaction; 0 on SQLite, where transactions commit one after another."""

    inherit_cache = True
    type = sa.BigInteger()


class finished_tx(ColumnElement[int]):  # noqa: N801 -- named like the SQL function that it stands for
    """The number below which every transaction of PostgreSQL is over, so that none of them can commit later."""

    inherit_cache = True
    type = sa.BigInteger()


@compiles(current_tx, "postgresql")
def _current_tx(_element: current_tx, _compiler: Any, **_kw: Any) -> str:
    return "(pg_current_xact_id()::text::bigint)"


@compiles(current_tx, "sqlite")
def _no_tx(_element: current_tx, _compiler: Any, **_kw: Any) -> str:
    return "0"


@compiles(finished_tx, "postgresql")
def _finished_tx(_element: finished_tx, _compiler: Any, **_kw: Any) -> str:
    generation = "((SELECT number FROM outbox_generation)::bigint << 48)"
    return f"({generation} + pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"


def enter_cluster(connection: sa.Connection) -> None:
    """Begin a new generation of transaction numbers where an outbox finds itself in another PostgreSQL cluster.

    Each cluster counts its transactions by itself. A dump that is restored into a cluster which has counted less would
    give new rows lower numbers than the cursors hold, and rows of the dump higher ones than any open transaction.
    The first call on an outbox begins generation 1, so that cursors of an earlier program stay below it. No writer may
    run meanwhile in the former cluster; those of this one wait. A no-op on SQLite. ConfigError where the role may not
    ask for the cluster's identifier.
    """
    if connection.dialect.name != "postgresql":
        return
    generations.create(connection, checkfirst=True)
    cluster = _cluster(connection)
    known = connection.execute(sa.select(generations.c.cluster, generations.c.number)).first()
    if known is not None and known.cluster == cluster:
        return
    number = 1 if known is None else known.number + 1
    default = f"(pg_current_xact_id()::text::bigint + {number << GENERATION_BITS})"
    connection.exec_driver_sql(f"ALTER TABLE outbox ALTER COLUMN tx SET DEFAULT {default}")
    connection.execute(sa.delete(generations))
    connection.execute(sa.insert(generations).values(cluster=cluster, number=number))


def _cluster(connection: sa.Connection) -> str:
    """Return the identifier of the PostgreSQL cluster; ConfigError where the role may not ask for it."""
    if not connection.exec_driver_sql(
        "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"
    ).scalar_one():
        raise ConfigError(["the role of the database URL lacks GRANT EXECUTE ON FUNCTION pg_control_system()"])
    identifier = connection.exec_driver_sql("SELECT system_identifier::text FROM pg_control_system()").scalar_one()
    return str(identifier)


class Operations(Protocol):
    """The part of alembic's `op` that is used here."""

    def get_bind(self) -> sa.Connection:
        """Return the migration's connection."""
        ...


@dataclass(frozen=True)
class InboxTables:
    """The three tables of a consumer."""

    inbox: sa.Table
    cursors: sa.Table
    failures: sa.Table


def outbox(metadata: sa.MetaData) -> sa.Table:
    """Define the outbox.

    A `position` is never reused. (`tx`, `position`) is the order in which a cursor reads, see `finished_tx` and
    `enter_cluster`.
    `published`, `attempts` and `not_before` (milliseconds) belong to the relay.
    """
    table = sa.Table(
        "outbox",
        metadata,
        sa.Column("position", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("tx", sa.BigInteger(), nullable=False, server_default=current_tx()),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("correlationid", sa.String(64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("not_before", sa.BigInteger(), nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    waiting = sa.not_(table.c.published)
    sa.Index("outbox_waiting", table.c.position, postgresql_where=waiting, sqlite_where=waiting)
    # SQLite reads by position alone, which is the order of the file itself.
    sa.Index("outbox_order", table.c.tx, table.c.position).ddl_if(dialect="postgresql")
    return table


def inbox(metadata: sa.MetaData) -> InboxTables:
    """Define the inbox: handled events, the cursor over each producer's outbox, and events that failed.

    A failed event with a `next_try_at` (milliseconds) is tried again; one without has been given up.
    """
    handled = sa.Table(
        "inbox",
        metadata,
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("handled_at", sa.BigInteger(), nullable=False),
    )
    sa.Index("inbox_handled_at", handled.c.handled_at)
    cursors = sa.Table(
        "inbox_cursor",
        metadata,
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("tx", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
    )
    failures = sa.Table(
        "inbox_failure",
        metadata,
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger()),
    )
    sa.Index("inbox_failure_next_try_at", failures.c.next_try_at)
    return InboxTables(handled, cursors, failures)


def create_outbox(op: Operations) -> None:
    """Create the outbox in a migration."""
    metadata = sa.MetaData()
    outbox(metadata)
    metadata.create_all(op.get_bind(), checkfirst=False)


def drop_outbox(op: Operations) -> None:
    """Drop the outbox in a migration."""
    metadata = sa.MetaData()
    outbox(metadata)
    metadata.drop_all(op.get_bind(), checkfirst=False)
    generations.drop(op.get_bind(), checkfirst=True)


def create_inbox(op: Operations) -> None:
    """Create the inbox in a migration."""
    metadata = sa.MetaData()
    inbox(metadata)
    metadata.create_all(op.get_bind(), checkfirst=False)


def drop_inbox(op: Operations) -> None:
    """Drop the inbox in a migration."""
    metadata = sa.MetaData()
    inbox(metadata)
    metadata.drop_all(op.get_bind(), checkfirst=False)
