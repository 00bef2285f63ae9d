"""Keep connections of the driver's own for reads that need no transaction."""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from mft_common.database.statements import ReadConnection, translated

_KEPT: Final = 32
T = TypeVar("T")


class ReadPool:
    """Lends a connection to one thread at a time.

    SQLAlchemy's pool and transaction around a read of one row take several times as long as the read. These
    connections are in autocommit, and the drivers keep their statements prepared from the second use on.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._idle: deque[ReadConnection] = deque()
        driver: Any = engine.dialect.loaded_dbapi
        self._errors: type[Exception] = driver.Error
        self._broken = (sa.exc.OperationalError, sa.exc.InterfaceError)

    def run(self, work: Callable[[ReadConnection], T]) -> T:
        """Return `work(look)`, done anew where the connection had been broken since it was last used."""
        try:
            look = self._idle.pop()
        except IndexError:
            return self._on_a_new_one(work)
        try:
            result = work(look)
        except self._broken:
            # The database may have been restarted since this connection was last used; the others are as old.
            look.driver_connection.close()
            self.close()
            return self._on_a_new_one(work)
        except BaseException:
            self._give_back(look)
            raise
        self._give_back(look)
        return result

    def query_cached(self, key: Hashable, work: Callable[[ReadConnection], T]) -> T:
        """Return what `work(look)` returned for this key before, unless the database was changed since."""
        if self._engine.dialect.name != "sqlite":
            return self.run(work)

        def find(look: ReadConnection) -> T:
            try:
                return look.cache.find(look.driver_connection, key, lambda: work(look))
            except self._errors as error:
                raise translated(look.dialect, "", error) from error

        return self.run(find)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().driver_connection.close()

    def _on_a_new_one(self, work: Callable[[ReadConnection], T]) -> T:
        look = self._connect()
        try:
            result = work(look)
        except self._broken:
            look.driver_connection.close()
            raise
        except BaseException:
            self._give_back(look)
            raise
        self._give_back(look)
        return result

    def _connect(self) -> ReadConnection:
        try:
            pooled = self._engine.raw_connection()
        except self._errors as error:
            raise translated(self._engine.dialect, "", error) from error
        connection: Any = pooled.driver_connection
        pooled.detach()
        if self._engine.dialect.name == "postgresql":
            connection.autocommit = True
        return ReadConnection(connection, self._engine.dialect)

    def _give_back(self, look: ReadConnection) -> None:
        if len(self._idle) < _KEPT:
            self._idle.append(look)
        else:
            look.driver_connection.close()
