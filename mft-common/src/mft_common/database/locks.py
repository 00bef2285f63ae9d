"""Take a transaction-scoped lock by name, and bound how long the transactions of a thread wait for locks."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

import sqlalchemy as sa

_LOCK: Final = sa.select(
    sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("locked", type_=sa.Text), 0))
)
_TIMEOUT: Final = sa.select(sa.func.set_config("lock_timeout", sa.bindparam("ms", type_=sa.Text), True))
_WITHIN: Final[ContextVar[float | None]] = ContextVar("locks_within", default=None)


def advisory_lock(connection: sa.Connection, name: str) -> None:
    """Take a transaction-scoped advisory lock; a no-op on SQLite, where only one transaction writes at a time.

    `name` begins with the service's, because services may share a PostgreSQL server.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"locked": name})


@contextlib.contextmanager
def locks_within(seconds: float) -> Iterator[None]:
    """Let the transactions of `Database.write` in this thread wait at most so long for each lock, then Unavailable.

    For a thread that has to do something else in time. SQLite's one lock of all writers has a limit of its own.
    """
    token = _WITHIN.set(seconds)
    try:
        yield
    finally:
        _WITHIN.reset(token)


def bound_waits(connection: sa.Connection) -> None:
    """Apply the limit of `locks_within` to the transaction of a connection; a no-op on SQLite and without a limit."""
    within = _WITHIN.get()
    if within is not None and connection.dialect.name == "postgresql":
        connection.execute(_TIMEOUT, {"ms": str(max(round(within * 1000), 1))})
