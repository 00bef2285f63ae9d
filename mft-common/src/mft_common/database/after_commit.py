"""Make a call when a transaction commits, and none where it is rolled back."""

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

# Where a connection that is kept over many transactions holds what its current one is to do.
PENDING: Final = "mft_common.on_commit"


def on_commit(connection: sa.Connection, call: Callable[[], None]) -> None:
    """Run `call` when the transaction of `connection` commits, one that `Database` gave.

    `call` may run right before the commit is sent, which may then fail: so it may be nothing but a count.
    """
    if (pending := connection.info.get(PENDING)) is not None:
        pending.append(call)
        return

    def committing(_connection: sa.Connection) -> None:
        call()

    sa.event.listen(connection, "commit", committing, once=True)
