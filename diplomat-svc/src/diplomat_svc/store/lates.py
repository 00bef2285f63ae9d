"""Store by which times jobs are late, for the rules of their transactions that want to know."""

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job
from diplomat_svc.store import jobs
from diplomat_svc.store.tables import lates
from mft_common.database.statements import Connection, Statement

_C = lates.c
_AT_ONCE: Final = 100
_ANY_DUE = Statement(sa.select(_C.sequence).where(_C.due_at <= sa.bindparam("now", type_=sa.BigInteger)).limit(1))


def add(connection: sa.Connection, sequence: int, due: Mapping[int, int]) -> None:
    """Store the times in milliseconds by the places of their rules."""
    if due:
        rows = [{"sequence": sequence, "rule": rule, "due_at": at} for rule, at in due.items()]
        connection.execute(sa.insert(lates), rows)


def remove(connection: sa.Connection, sequence: int) -> None:
    """Delete the times of a job that is over."""
    connection.execute(sa.delete(lates).where(_C.sequence == sequence))


def any_due(connection: Connection, now: int) -> bool:
    """Return whether a job is late; a cheap read."""
    return _ANY_DUE.first(connection, {"now": now}) is not None


def take(connection: sa.Connection, now: int) -> Sequence[tuple[Job, int, int]]:
    """Delete times that have come, and return each with its job and the place of its rule; each is returned once."""
    due = sa.select(_C.sequence, _C.rule).where(_C.due_at <= now).order_by(_C.due_at, _C.sequence).limit(_AT_ONCE)
    taken = []
    for row in connection.execute(due.with_for_update(skip_locked=True)).all():
        one = (_C.sequence == row.sequence, _C.rule == row.rule)
        at = connection.execute(sa.delete(lates).where(*one).returning(_C.due_at)).scalar_one_or_none()
        if at is not None:
            taken.append((jobs.load(connection, row.sequence), row.rule, at))
    return taken
