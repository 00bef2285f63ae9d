"""Pool driver connections in autocommit for reads that need no transaction."""

import queue
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from mft_common.database.statements import ReadConnection, translated
from mft_common.database.transient import is_transient
from mft_common.database.version_cache import MISSING

T = TypeVar("T")


class ReadPool:
    """Lends at most `size` connections, each to one thread at a time; a thread waits up to `timeout` s for one.

    SQLAlchemy's pool and transaction around a read of one row take several times as long as the read. These
    connections are in autocommit, and the drivers keep their statements prepared from the second use on.
    """

    def __init__(self, engine: sa.Engine, *, size: int, timeout: float) -> None:
        self._engine = engine
        self._timeout = timeout
        self._caching = engine.dialect.name == "sqlite"
        self._idle: deque[ReadConnection] = deque()
        # One permit a connection. SimpleQueue is written in C, which makes it the cheapest semaphore there is.
        self._permits: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(size):
            self._permits.put(None)
        driver: Any = engine.dialect.loaded_dbapi
        self._errors: type[Exception] = driver.Error

    def run(self, work: Callable[[ReadConnection], T]) -> T:
        """Return `work(connection)`, called a second time where an idle connection turned out to be broken.

        sa.exc.TimeoutError where all connections are in use for too long. `work` must not ask the pool for another
        connection.
        """
        self._take_permit()
        try:
            return self._run(work)
        finally:
            self._permits.put(None)

    def query_cached(self, key: Hashable, work: Callable[[ReadConnection], T]) -> T:
        """Return `work(connection)`, on SQLite from the connection's cache while no commit has changed the database."""
        if not self._caching:
            return self.run(work)
        found = self._cached(key)
        if found is not MISSING:
            return cast("T", found)

        def find(connection: ReadConnection) -> T:
            try:
                return connection.cache.find(connection.driver_connection, key, lambda: work(connection))
            except self._errors as error:
                raise translated(connection.dialect, "", error) from error

        return self.run(find)

    def _cached(self, key: Hashable) -> Any:
        """Return a cached result, else MISSING; a short way for the most frequent case."""
        self._take_permit()
        try:
            connection = self._idle.pop()
            try:
                return connection.cache.get(connection.driver_connection, key)
            finally:
                self._idle.append(connection)
        except (IndexError, self._errors):
            # No connection yet, or one that may be broken, which `run` replaces.
            return MISSING
        finally:
            self._permits.put(None)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().driver_connection.close()

    def _take_permit(self) -> None:
        try:
            self._permits.get(timeout=self._timeout)
        except queue.Empty:
            raise sa.exc.TimeoutError(f"all read connections are in use for {self._timeout} s") from None

    def _run(self, work: Callable[[ReadConnection], T]) -> T:
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._run_on(self._connect(), work)
        try:
            return self._run_on(connection, work)
        except sa.exc.DBAPIError as error:
            if not is_transient(error):
                raise
        # The database may have been restarted since this connection was last used; the other idle ones are as old.
        self.close()
        return self._run_on(self._connect(), work)

    def _run_on(self, connection: ReadConnection, work: Callable[[ReadConnection], T]) -> T:
        try:
            result = work(connection)
        except BaseException as error:
            if is_transient(error):
                connection.driver_connection.close()
            else:
                self._idle.append(connection)
            raise
        self._idle.append(connection)
        return result

    def _connect(self) -> ReadConnection:
        try:
            pooled = self._engine.raw_connection()
        except self._errors as error:
            raise translated(self._engine.dialect, "", error) from error
        connection: Any = pooled.driver_connection
        # Detached, it no longer counts among the connections of SQLAlchemy's pool, but among those of this one.
        pooled.detach()
        if self._engine.dialect.name == "postgresql":
            connection.autocommit = True
        return ReadConnection(connection, self._engine.dialect)
