"""Bring the watches and timers of tasks to what may run now; there are none yet."""

import sqlalchemy as sa


def sync(_connection: sa.Connection, _now: int) -> None:
    """Do nothing: no task is watched or timed yet."""
