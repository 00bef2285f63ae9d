"""Keep one SQLite connection for transactions that follow one another closely."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from mft_common.database.after_commit import calls_after
from mft_common.database.statements import translated

_CLOSE_S: Final = 1.0


class WriteConnection:
    """Runs one transaction at a time, from any thread.

    To check a connection out, begin, commit and return it, SQLAlchemy takes as long as SQLite takes for a dozen
    statements. So the connection is kept in one transaction of SQLAlchemy's that never ends, and BEGIN and COMMIT are
    sent by the driver.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: sa.Connection | None = None
        self._pid = 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Give a connection inside one transaction: committed when the block ends, rolled back when it raises.

        Errors are SQLAlchemy's. A block must not begin another transaction of the same writer.
        """
        with self._lock:
            connection = self._kept()
            driver: Any = connection.connection.driver_connection
            try:
                _run(connection.dialect, driver, "BEGIN IMMEDIATE")
            except BaseException:
                # A result that was not read to its end may keep the connection from writing.
                self._drop()
                raise
            try:
                with calls_after(connection):
                    yield connection
                    _run(connection.dialect, driver, "COMMIT")
            except BaseException:
                self._undo(driver)
                raise

    def close(self) -> None:
        """Close the connection unless a transaction runs on it: the process is about to end."""
        if self._lock.acquire(timeout=_CLOSE_S):
            try:
                connection, self._connection = self._connection, None
                if connection is not None and self._pid == os.getpid():
                    connection.close()
            finally:
                self._lock.release()

    def _kept(self) -> sa.Connection:
        """Return this process's own connection; one that was opened before a fork belongs to the parent."""
        if self._connection is None or self._pid != os.getpid():
            self._connection = self._engine.connect().execution_options(sqlite_begin=None)
            self._connection.begin()
            self._pid = os.getpid()
        return self._connection

    def _undo(self, driver: Any) -> None:
        """Roll back; a connection that fails to is not used again."""
        try:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 -- the first error is the one to raise
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def _run(dialect: sa.Dialect, driver: Any, statement: str) -> None:
    errors: Any = dialect.loaded_dbapi
    try:
        driver.execute(statement)
    except errors.Error as error:
        raise translated(dialect, statement, error) from error
