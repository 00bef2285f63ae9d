"""Open a database in the tests of what works on both kinds, with tables as their migrations make them."""

import contextlib
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from mft_common.database import Database

SERVICE = "things-svc"
_SCHEMA = "things_svc"


class Op:
    """The part of alembic's `op` that the migrations of `mft_common` use."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get_bind(self) -> sa.Connection:
        """Return the connection."""
        return self._connection


def opened(url: str, metadata: sa.MetaData, **options: Any) -> Database:
    """Open a database as each process of the tests does."""
    return Database(url, schema=SERVICE, metadata=metadata, migrations="", head="", **options)


def create(database: Database, *made: sa.Table | Callable[[Op], None]) -> None:
    """Create the schema, and in it tables: those of a test, and those that functions of migrations make."""
    with database.engine.connect() as connection, connection.begin():
        if database.dialect == "postgresql":
            connection.execute(sa.schema.CreateSchema(_SCHEMA, if_not_exists=True))
        for each in made:
            if isinstance(each, sa.Table):
                each.create(connection)
            else:
                each(Op(connection))


def migrate_to(database: Database, revision: str) -> None:
    """Bring an empty database to an older revision of its service's tables."""
    scripts = ScriptDirectory(str(resources.files(database._migrations)))

    def steps(former: Any, _context: Any) -> Any:
        return scripts._upgrade_revs(revision, former)

    with database._migration_lock(), database.engine.connect() as connection:
        database._revision(connection)
        connection.rollback()
        with connection.execution_options(sqlite_begin="IMMEDIATE").begin():
            context = MigrationContext.configure(connection, opts={"fn": steps})
            with Operations.context(context):
                context.run_migrations()


@contextlib.contextmanager
def with_tables(url: str, metadata: sa.MetaData, *made: sa.Table | Callable[[Op], None]) -> Iterator[Database]:
    """Open a database for a test, with tables as `create` makes them."""
    database = opened(url, metadata)
    create(database, *made)
    yield database
    database.close()


def waits_for_a_lock(database: Database) -> bool:
    """Return whether a transaction of a PostgreSQL database waits for another one."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with database.read() as connection:
        return connection.execute(sa.text(waiting)).first() is not None
