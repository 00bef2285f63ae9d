"""Store which jobs that are over have no audit record of their end yet."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from diplomat_svc.store.tables import audits, jobs
from mft_common.database.statements import Connection, Statement

_C = audits.c
_AT_ONCE: Final = 100
_COUNT = Statement(sa.select(sa.func.count()).select_from(audits))
_PENDING = Statement(sa.select(_C.sequence).order_by(_C.tries, _C.sequence).limit(_AT_ONCE))


def add(connection: sa.Connection, sequence: int) -> None:
    """Record that the audit record of a job is still to be written."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(audits).values(sequence=sequence, tries=0).on_conflict_do_nothing())


def pending(connection: Connection) -> Sequence[int]:
    """Return jobs whose audit record is to be written; those that were tried least often first."""
    return [row[0] for row in _PENDING.all(connection, {})]


def count(connection: Connection) -> int:
    """Return of how many jobs the audit record is to be written."""
    ((found,),) = _COUNT.all(connection, {})
    return int(found)


def count_failure(connection: sa.Connection, sequence: int) -> None:
    """Let the other jobs go first the next time."""
    connection.execute(sa.update(audits).where(_C.sequence == sequence).values(tries=_C.tries + 1))


def written(connection: sa.Connection, sequence: int, completion: str) -> bool:
    """Store that the audit record of an end was written; False where that was stored already."""
    connection.execute(sa.update(jobs).where(jobs.c.sequence == sequence).values(audit=completion))
    return connection.execute(sa.delete(audits).where(_C.sequence == sequence)).rowcount == 1
