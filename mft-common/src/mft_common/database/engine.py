"""Open a service's database, SQLite or PostgreSQL, and bring its tables up to date before anything is served."""

import contextlib
import fcntl
from collections.abc import Callable, Hashable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, make_url
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from mft_common.database import locks, shared_memory
from mft_common.database.after_commit import calls_after
from mft_common.database.read_pool import ReadPool
from mft_common.database.statements import ReadConnection
from mft_common.database.transient import is_transient
from mft_common.database.turns import Turns
from mft_common.database.write_connection import WriteConnection
from mft_common.errors import ConfigError, Unavailable

T = TypeVar("T")

_BUSY_MS: Final = 30_000
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")
# The same few pages change again and again: the longer the log (16 MiB), the fewer times each is copied out of it.
_WAL_PAGES: Final = 4_000
# How many connections to one database a process holds at most, a quarter of them for `query`, and how long a thread
# waits for one.
_POOL_SIZE: Final = {"sqlite": 64, "postgresql": 16}
_SMALLEST_POOL: Final = 4
_POOL_TIMEOUT_S: Final = 10.0

# A process that freezes within a transaction keeps its locks no longer: PostgreSQL ends its session.
_FROZEN_MS: Final = 60_000


class Database:
    """One service's tables. `read` and `write` hand out a SQLAlchemy connection.

    `query` and `query_cached` read by `mft_common.database.statements`, at a tenth of the cost. All of them raise
    Unavailable where the database is away, busy or full, or where no connection becomes free in time; errors of wrong
    statements stay SQLAlchemy's.

    `url` is a SQLAlchemy URL; `?pool_size=N` in it bounds the connections of this process. On PostgreSQL the tables
    live in the schema `schema`, which need not exist yet; on SQLite in a file of the service's own, in WAL mode and
    with every commit fsynced, because an acknowledged change must survive a power cut. `migrations` names the package
    of the service's alembic revisions, of which `head` is the newest. A thread waits up to `pool_timeout` seconds for a
    free connection.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str,
        metadata: sa.MetaData,
        migrations: str,
        head: str,
        pool_timeout: float = _POOL_TIMEOUT_S,
    ) -> None:
        given = make_url(url)
        self.url = given.difference_update_query(["pool_size"])
        self.schema = schema.replace("-", "_")
        self.metadata = metadata
        self._migrations = migrations
        self._head = head
        self.dialect = self.url.get_backend_name()
        if self.dialect not in _POOL_SIZE:
            raise ConfigError([f"a database URL begins with sqlite: or postgresql:, not {self.dialect}:"])
        size = _pool_size(given.query.get("pool_size"), _POOL_SIZE[self.dialect])
        reads = size // 4
        pool = {"pool_size": size - reads, "max_overflow": 0, "pool_timeout": pool_timeout}
        if self.dialect == "sqlite":
            # A transaction that waits for SQLite's one writer holds a connection meanwhile, and no server counts them.
            pool["max_overflow"] = -1
        self.engine = self._open(**pool)
        self._unpooled = self._open(poolclass=NullPool)
        self._read_pool = ReadPool(self._unpooled, size=reads, timeout=pool_timeout)
        self._writers: list[WriteConnection] = []
        file = self.url.database if self.dialect == "sqlite" else None
        self._turns = Turns(file, _BUSY_MS / 1000) if file else None

    def _open(self, **pool: Any) -> sa.Engine:
        return self._sqlite(**pool) if self.dialect == "sqlite" else self._postgresql(**pool)

    def _sqlite(self, **pool: Any) -> sa.Engine:
        path = self.url.database
        if not path or path == ":memory:":
            raise ConfigError(["sqlite://: a SQLite database needs a file"])
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # sqlite3 would begin transactions by itself; with isolation_level=None the listener `begin` does it.
        arguments = {"timeout": _BUSY_MS / 1000, "isolation_level": None, "check_same_thread": False}
        engine = sa.create_engine(self.url, connect_args=arguments, hide_parameters=True, **pool)

        @event.listens_for(engine, "do_connect")
        def allocate(_dialect: Any, _record: Any, _args: Any, _kwargs: Any) -> None:
            shared_memory.allocate(path)

        @event.listens_for(engine, "connect")
        def pragmas(connection: Any, _entry: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            for pragma in (*_PRAGMAS, f"wal_autocheckpoint={_WAL_PAGES}"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            # A transaction that will write takes the lock at once: one that read first and then had to wait would fail.
            how = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
            if how is not None:
                connection.exec_driver_sql(f"BEGIN {how}")

        return engine

    def _postgresql(self, **pool: Any) -> sa.Engine:
        url = self.url.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(
            url, pool_pre_ping=True, hide_parameters=True, connect_args={"connect_timeout": 5}, **pool
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
            before, connection.autocommit = connection.autocommit, True
            connection.execute(f'SET search_path TO "{self.schema}"')
            connection.execute(f"SET idle_in_transaction_session_timeout TO {_FROZEN_MS}")
            connection.autocommit = before

        return engine

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection that sees what is committed: on SQLite as of its first statement, else of each one."""
        with _AVAILABILITY, self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    def query(self, work: Callable[[ReadConnection], T]) -> T:
        """Return `work(connection)`, which only reads; it is called again where an idle connection was broken."""
        with _AVAILABILITY:
            return self._read_pool.run(work)

    def query_cached(self, key: Hashable, work: Callable[[ReadConnection], T]) -> T:
        """Return `work(connection)`, on SQLite from a cache for as long as no commit has changed the database.

        The result may depend on `key` and on committed rows alone, not on the time, for one.
        """
        with _AVAILABILITY:
            return self._read_pool.query_cached(key, work)

    def write(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Give a connection inside one transaction: committed when the block ends, rolled back when it raises."""
        return self._write(self.engine)

    def write_apart(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Give what `write` gives, on a connection that is opened for it: it waits for none of this process's."""
        return self._write(self._unpooled)

    @contextlib.contextmanager
    def _write(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        with (
            _AVAILABILITY,
            contextlib.nullcontext() if self._turns is None else self._turns.turn(),
            engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection,
            calls_after(connection),
            connection.begin(),
        ):
            locks.bound_waits(connection)
            yield connection

    def writer(self) -> Callable[[], contextlib.AbstractContextManager[sa.Connection]]:
        """Return a faster `write` for transactions that follow one another; on SQLite it keeps one connection."""
        if self.dialect != "sqlite":
            return self.write
        writer = WriteConnection(self.engine)
        self._writers.append(writer)

        @contextlib.contextmanager
        def write() -> Iterator[sa.Connection]:
            with _AVAILABILITY, writer.transaction() as connection:
                yield connection

        return write

    def ping(self) -> None:
        """Raise Unavailable unless the database answers and its tables are those of this program."""
        with self.read() as connection:
            if self._revision(connection) != self._head:
                raise Unavailable("the database's tables are not those of this version")

    def close(self) -> None:
        """Close all connections."""
        self._read_pool.close()
        for writer in self._writers:
            writer.close()
        if self._turns is not None:
            self._turns.close()
        self.engine.dispose()

    def migrate(self, *at_start: Callable[[sa.Connection], None]) -> None:
        """Bring the tables to the newest revision, then run `at_start` in one transaction, before anything is served.

        Of several processes that start at once, one does it after the other.
        """
        with _AVAILABILITY, self._migration_lock():
            with self.engine.connect() as connection:
                self._upgrade(connection)
            if at_start:
                with self.write() as connection:
                    for step in at_start:
                        step(connection)

    def _upgrade(self, connection: sa.Connection) -> None:
        if self._revision(connection) == self._head:
            return
        connection.rollback()
        # Imported here because it takes a good part of a start on which there is nothing to do.
        from alembic.migration import MigrationContext
        from alembic.operations import Operations
        from alembic.script import ScriptDirectory

        scripts = ScriptDirectory(str(resources.files(self._migrations)))

        def steps(revision: Any, _context: Any) -> Any:
            return scripts._upgrade_revs("head", revision)  # noqa: SLF001 -- what alembic's own `upgrade` calls

        with connection.execution_options(sqlite_begin="IMMEDIATE").begin():
            context = MigrationContext.configure(connection, opts={"fn": steps})
            with Operations.context(context):
                context.run_migrations()

    def _revision(self, connection: sa.Connection) -> str | None:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()

    @contextlib.contextmanager
    def _migration_lock(self) -> Iterator[None]:
        if self.dialect == "sqlite":
            with Path(f"{self.url.database}.migrating").open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            key = {"key": self.schema}
            connection.execute(sa.text("SELECT pg_advisory_lock(hashtext(:key))"), key)
            try:
                connection.execute(sa.text(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'))
                yield
            finally:
                connection.execute(sa.text("SELECT pg_advisory_unlock(hashtext(:key))"), key)


class _Availability:
    """A context manager that turns errors which pass by themselves into Unavailable; a class is the fastest form."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, sa.exc.TimeoutError):
            raise Unavailable("all connections to the database are in use") from error
        if isinstance(error, sa.exc.DBAPIError) and is_transient(error):
            raise Unavailable("the database does not answer") from error


_AVAILABILITY: Final = _Availability()


def _pool_size(given: str | tuple[str, ...] | None, default: int) -> int:
    if given is None:
        return default
    if not isinstance(given, str) or not given.isdecimal() or int(given) < _SMALLEST_POOL:
        raise ConfigError([f"a database URL's pool_size is a number from {_SMALLEST_POOL} on"])
    return int(given)
