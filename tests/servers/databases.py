"""Open a database in the tests of what works on both kinds, with tables as their migrations make them."""

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from mft_common.database import Database
from mft_common.database.turns import Turns
from mft_common.errors import Unavailable
from tests.servers.processes import wait_until

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


def stop_between_writes(database: Database, pid: int) -> bool:
    """Stop a process by SIGSTOP; where that was amid a write to SQLite, let it go on again and return False.

    SQLite has one lock for all writers: one that is stopped with it would stop every other one.
    """
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", what="a stop")
    if database.dialect == "postgresql" or _can_be_written(str(database.url.database)):
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def _can_be_written(path: str) -> bool:
    """Return whether a writer of a SQLite database gets its turn and the lock within a second each."""
    try:
        with Turns(path, 1.0).turn(), contextlib.closing(sqlite3.connect(path, timeout=1.0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
    except (Unavailable, sqlite3.OperationalError):
        return False
    return True
