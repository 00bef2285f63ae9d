"""Answer what requests ask of the directory, one indexed read a question, on connections kept for nothing else."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from mft_common.database import Database
from mft_common.directory import GRANT_KEYS, Account
from mft_common.errors import Unavailable

_KEPT: Final = 32
_SESSION: Final = (
    "SELECT a.name, a.contact, a.number, a.grants, a.revision, a.password_changed_at, a.expired, "
    "s.public_id, s.label, s.address, s.opened_at, s.seen_at, s.idle, s.absolute_at, s.expires_at "
    "FROM sessions s JOIN accounts a ON a.name = s.account "
    "WHERE s.token_hash = ? AND s.service = ? AND a.state = 'enabled'"
)
_BY_NAME: Final = (
    "SELECT name, contact, number, grants, revision, password_changed_at, expired "
    "FROM accounts WHERE name = ? AND state = 'enabled'"
)
_KEPT_VALUE: Final = "SELECT value FROM kept WHERE name = ?"


@lru_cache(maxsize=8192)
def grant_of(grants: str, service: str) -> Mapping[str, Any] | None:
    """Return the grant for `service` out of an account's grants, None where it has none.

    Many requests share one text, and reading it anew would be a good part of a look-up.
    """
    grant: Mapping[str, Any] | None = json.loads(grants).get(GRANT_KEYS.get(service, service))
    return grant


def account_of(row: Sequence[Any], service: str) -> Account:
    """Build an account, as `service` may see it, from the first seven columns of a row."""
    name, contact, number, grants, revision, changed_at, expired = row[:7]
    return Account(
        name=name,
        contact=contact,
        number=number,
        grant=grant_of(grants, service),
        revision=revision,
        password_changed_at=changed_at,
        expired=bool(expired),
    )


class Lookup:
    """Reads one row by a driver's own connection.

    SQLAlchemy's pool and transaction around a read of one row take several times as long as the read. Each connection
    is in one thread's hands at a time, is in autocommit, and has its statements prepared from their second use on.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._idle: deque[Any] = deque()
        dialect = database.engine.dialect
        driver: Any = dialect.loaded_dbapi
        self._broken: tuple[type[Exception], ...] = (driver.OperationalError, driver.InterfaceError)
        self._away = (*self._broken, sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
        self._postgresql = database.dialect == "postgresql"
        style = "%s" if self._postgresql else "?"
        self._session = _SESSION.replace("?", style)
        self._account = _BY_NAME.replace("?", style)
        self._value = _KEPT_VALUE.replace("?", style)

    def session(self, token_hash: bytes, service: str) -> Sequence[Any] | None:
        """Return the row of a token's hash, or None; whether its time is over is the caller's question."""
        return self._one(self._session, (token_hash, service))

    def account(self, name: str) -> Sequence[Any] | None:
        """Return an account that is enabled, or None."""
        return self._one(self._account, (name,))

    def kept_value(self, name: str) -> bytes | None:
        """Return what is kept under `name`, None where nothing is."""
        row = self._one(self._value, (name,))
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _one(self, statement: str, values: tuple[Any, ...]) -> Sequence[Any] | None:
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._anew(statement, values)
        try:
            row: Sequence[Any] | None = connection.execute(statement, values).fetchone()
        except self._broken:
            # The database may have been restarted since this connection was last used; the others are as old.
            connection.close()
            self.close()
            return self._anew(statement, values)
        self._give_back(connection)
        return row

    def _anew(self, statement: str, values: tuple[Any, ...]) -> Sequence[Any] | None:
        try:
            connection = self._connect()
            row: Sequence[Any] | None = connection.execute(statement, values).fetchone()
        except self._away as error:
            raise Unavailable("the database does not answer") from error
        self._give_back(connection)
        return row

    def _connect(self) -> Any:
        pooled = self._database.engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        if self._postgresql:
            assert connection is not None
            connection.autocommit = True
        return connection

    def _give_back(self, connection: Any) -> None:
        if len(self._idle) < _KEPT:
            self._idle.append(connection)
        else:
            connection.close()
