"""Store which queues managed transfers take messages from, and which transfer has claimed one.

After a transfer was cut off, messages of a file that is there already come again: until they are removed, no other
transfer may take them (229).
"""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.queues import queue_of
from mqmft_svc.store.tables import managed, managed_queue

_Q: Final = managed_queue.c


def insert(connection: sa.Connection, transfer: Managed) -> None:
    """Store the queues that a new transfer takes messages from."""
    submission = transfer.submission
    names = sorted({queue_of(item.source.name) for item in submission.items if item.source.type == "queue"})
    agent = submission.source_agent.name
    rows = [{"transfer": transfer.id, "agent": agent, "queue": name, "claimed": False} for name in names]
    if rows:
        connection.execute(sa.insert(managed_queue), rows)


def claim(connection: sa.Connection, id_: str, *, claimed: bool) -> None:
    """Claim the queues of a transfer, or let others have them."""
    connection.execute(sa.update(managed_queue).where(_Q.transfer == id_).values(claimed=claimed))


def is_free(id_: sa.ColumnElement[str], sharing: Mapping[str, str]) -> sa.ColumnElement[bool]:
    """Return the condition that no other transfer that is not over has claimed a queue of the transfer.

    `sharing` are the agents with the same broker as others, each with the one that stands for all of them.
    """
    mine, other, holder = managed_queue.alias(), managed_queue.alias(), managed.alias()
    claimed = sa.and_(
        mine.c.transfer == id_,
        _broker(other.c.agent, sharing) == _broker(mine.c.agent, sharing),
        other.c.queue == mine.c.queue,
        other.c.claimed,
        other.c.transfer != id_,
        holder.c.id == other.c.transfer,
        holder.c.status.in_(("queued", "running")),
    )
    found: Any = sa.select(sa.literal(1)).select_from(mine, other, holder).where(claimed).correlate(managed)
    return ~sa.exists(found)


def _broker(agent: sa.ColumnElement[str], sharing: Mapping[str, str]) -> sa.ColumnElement[str]:
    return sa.case(dict(sharing), value=agent, else_=agent) if sharing else agent


def purge(connection: sa.Connection, ids: list[str]) -> None:
    """Forget the queues of transfers."""
    connection.execute(sa.delete(managed_queue).where(_Q.transfer.in_(ids)))
