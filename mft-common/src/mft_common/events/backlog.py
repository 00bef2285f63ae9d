"""Count the events of an outbox that wait to be delivered."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mft_common.events import tables
from mft_common.events.outbox_rows import events_in

# All outboxes have one shape, so that this table stands for the outbox of whichever database a connection leads to.
OUTBOX: Final = tables.outbox(sa.MetaData())


@dataclass(frozen=True)
class Backlog:
    """How many events wait, and the time of the oldest one (milliseconds since the epoch, or None)."""

    events: int
    oldest: int | None


def count(connection: sa.Connection, *where: Any, types: Collection[str] | None = None) -> Backlog:
    """Count the events of `types` (all, if None) in the rows that match `where`."""
    # A process without composites has no row of more than one event, and SQL no CASE without a WHEN.
    composites = events_in(types)
    by_type = sa.case(composites, value=OUTBOX.c.type, else_=1) if composites else sa.literal_column("1")
    query = sa.select(sa.func.coalesce(sa.func.sum(by_type), 0), sa.func.min(OUTBOX.c.time)).where(*where)
    events, oldest = connection.execute(query).one()
    return Backlog(int(events), oldest)
