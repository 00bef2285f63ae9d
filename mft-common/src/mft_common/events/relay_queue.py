"""Fetch the rows of an outbox that a relay has to publish, and mark them."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common.backoff import pause_after
from mft_common.events.backlog import OUTBOX, Backlog, count

_C: Final = OUTBOX.c
_FIRST_PAUSE_MS: Final = 500
_LONGEST_PAUSE_MS: Final = 60_000


def fetch_unpublished(connection: sa.Connection, now: int, limit: int) -> Sequence[Any]:
    """Return the oldest rows that no broker has confirmed yet and whose pause is over.

    A pause longer than any that `postpone` sets was written before the clock was set back, and is over as well. On
    PostgreSQL the rows are locked until the transaction ends, and those that another relay has locked are skipped.
    """
    due = sa.or_(_C.not_before <= now, _C.not_before > now + _LONGEST_PAUSE_MS)
    query = (
        sa.select(OUTBOX)
        .where(sa.not_(_C.published), due)
        .order_by(_C.position)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).all()


def mark_published(connection: sa.Connection, positions: Collection[int]) -> None:
    """Mark rows that the broker has confirmed."""
    if positions:
        connection.execute(sa.update(OUTBOX).where(_C.position.in_(positions)).values(published=sa.true()))


def postpone(connection: sa.Connection, rows: Collection[Any], now: int) -> None:
    """Let rows that the broker refused wait, each time twice as long; the relay goes on with the others."""
    for row in rows:
        pause = pause_after(row.attempts + 1, _FIRST_PAUSE_MS, _LONGEST_PAUSE_MS)
        connection.execute(
            sa.update(OUTBOX)
            .where(_C.position == row.position)
            .values(attempts=_C.attempts + 1, not_before=now + pause)
        )


def published() -> sa.ColumnElement[bool]:
    """Return the condition of the rows that the broker has confirmed."""
    return _C.published


def backlog(connection: sa.Connection) -> Backlog:
    """Count the events that the broker has not confirmed yet."""
    return count(connection, sa.not_(_C.published))
