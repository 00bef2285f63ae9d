"""Make a call after a transaction has committed, and none where it is rolled back or its commit fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa

# Where a connection holds what is to be done after its current transaction.
PENDING: Final = "mft_common.on_commit"


def on_commit(connection: sa.Connection, call: Callable[[], None]) -> None:
    """Run `call` after the transaction of `connection` has committed, one that `Database` gave.

    An error of `call` would look like one of the transaction: so it may be nothing but a count.
    """
    connection.info[PENDING].append(call)


@contextmanager
def calls_after(connection: sa.Connection) -> Iterator[None]:
    """Make the calls that are registered within the block after it; its end is that of the transaction."""
    pending: list[Callable[[], None]] = []
    # A connection that broke has no such mapping to ask for any more.
    info = connection.info
    info[PENDING] = pending
    try:
        yield
    finally:
        info.pop(PENDING, None)
    for call in pending:
        call()
