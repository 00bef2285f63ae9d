"""Store the cursors of periodic work, and give each portion of it to one worker."""

from typing import Final

import sqlalchemy as sa

from filestore_svc.store.tables import sweeps

_C = sweeps.c
_ADD: Final = sa.text("INSERT INTO sweeps (name, cursor, due_at) VALUES (:name, '', 0) ON CONFLICT DO NOTHING")
# Portions that are up to a minute late are made up for; those of a long time without a worker are not.
_LATEST_MS: Final = 60_000


def is_due(connection: sa.Connection, name: str, *, now: int, pause: int) -> bool:
    """Return True when a portion of this work is due."""
    due_at = connection.execute(sa.select(_C.due_at).where(_C.name == name)).scalar()
    return due_at is None or _is_over(due_at, now, pause)


def claim(connection: sa.Connection, *, name: str, now: int, pause: int) -> str | None:
    """Return the cursor of the portion that is due, None where none is; the next is due `pause` ms after it.

    Of several workers that ask at once, one gets the portion.
    """
    connection.execute(_ADD, {"name": name})
    row = connection.execute(sa.select(_C.cursor, _C.due_at).where(_C.name == name)).one()
    if not _is_over(row.due_at, now, pause):
        return None
    due_at = max(min(row.due_at, now), now - _LATEST_MS) + pause
    mine = sa.update(sweeps).where(_C.name == name, _C.due_at == row.due_at).values(due_at=due_at)
    return str(row.cursor) if connection.execute(mine).rowcount == 1 else None


def _is_over(due_at: int, now: int, pause: int) -> bool:
    """Return whether a time has come; one that is farther ahead than a pause was set while the clock was wrong."""
    return not now < due_at <= now + pause


def advance(connection: sa.Connection, *, name: str, before: str, after: str) -> None:
    """Move a cursor on, unless another worker has moved it meanwhile."""
    connection.execute(sa.update(sweeps).where(_C.name == name, _C.cursor == before).values(cursor=after))
