"""The statements of a job's way from the queue to its end, compiled once for each dialect."""

from collections import namedtuple
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.states import ACTIVE, COMPLETE, QUEUED, RUNNING
from diplomat_svc.store.tables import jobs, transactions
from mft_common.database.statements import Statement

_C = jobs.c
# Written as in the condition of the index on jobs that are not over, without which SQLite would not use it.
NOT_OVER: Final = _C.status != sa.literal_column("'Complete'")


def takeable() -> sa.Select[Any]:
    """Select the first queued job that is due at `now`, and whose transaction has no active job and none that waits.

    A job that waits for its next attempt keeps its place before the others of its transaction (E3).
    """
    now = sa.bindparam("now", type_=sa.BigInteger)
    other = jobs.alias()
    not_over = other.c.status != sa.literal_column("'Complete'")
    active = sa.or_(*(other.c.status == status for status in ACTIVE))
    waits = sa.and_(other.c.status == QUEUED, other.c.due_at > now)
    busy = sa.select(other.c.transaction_id).where(not_over, sa.or_(active, waits))
    queued = (_C.status == QUEUED, NOT_OVER, _C.transaction_id.not_in(busy))
    return sa.select(_C.sequence).where(*queued).order_by(_C.sequence).limit(1)


Row: Final = namedtuple("Row", [column.name for column in jobs.c])  # type: ignore[misc] # noqa: PYI024
REQUEST_ID: Final = list(jobs.c).index(_C.request_id)
_T: Final = transactions.c
STAMP: Final = Statement(
    sa.update(transactions)
    .where(_T.id == sa.bindparam("number", type_=sa.BigInteger))
    .values(stamp=sa.bindparam("new_stamp", type_=sa.BigInteger))
)
NEWEST: Final = Statement(
    sa.update(transactions)
    .where(
        _T.id == sa.bindparam("number", type_=sa.BigInteger),
        sa.or_(_T.last_sequence.is_(None), _T.last_sequence <= sa.bindparam("job", type_=sa.BigInteger)),
    )
    .values(
        last_sequence=sa.bindparam("job", type_=sa.BigInteger), last_completion=sa.bindparam("end", type_=sa.String)
    )
)
TAKE: Final = Statement(
    sa.update(jobs)
    .where(_C.sequence == takeable().scalar_subquery(), _C.status == QUEUED)
    .values(
        status=RUNNING,
        owner=sa.bindparam("by", type_=sa.String),
        lease=_C.lease + 1,
        began_at=sa.bindparam("now", type_=sa.BigInteger),
        updated_at=sa.bindparam("now", type_=sa.BigInteger),
    )
    .returning(*jobs.c)
)
# A job that a worker owns, with its lease.
_MINE: Final = (
    _C.sequence == sa.bindparam("job", type_=sa.BigInteger),
    _C.owner == sa.bindparam("by", type_=sa.String),
    _C.lease == sa.bindparam("lent", type_=sa.BigInteger),
    sa.or_(*(_C.status == status for status in ACTIVE)),
)
IS_OWNED: Final = Statement(sa.select(_C.sequence).where(*_MINE))
IS_OWNER: Final = Statement(sa.select(_C.sequence).where(*_MINE, _C.status == RUNNING))
_ENDED: Final = {
    "status": COMPLETE,
    "completion": sa.bindparam("end", type_=sa.String),
    "reason": sa.func.coalesce(sa.bindparam("why", type_=sa.Text), _C.reason),
    "ended_at": sa.bindparam("now", type_=sa.BigInteger),
    "updated_at": sa.bindparam("now", type_=sa.BigInteger),
    "owner": sa.null(),
}
_NOT_ENDED: Final = (_C.sequence == sa.bindparam("job", type_=sa.BigInteger), _C.status != COMPLETE)
END: Final = Statement(sa.update(jobs).where(*_NOT_ENDED).values(_ENDED).returning(*jobs.c))
END_MINE: Final = Statement(sa.update(jobs).where(*_NOT_ENDED, *_MINE[1:3]).values(_ENDED).returning(*jobs.c))


@lru_cache(maxsize=16)
def change(columns: tuple[str, ...]) -> Statement:
    """Return the change of some columns of a job that its worker owns."""
    values = {name: sa.bindparam(f"new_{name}", type_=_C[name].type) for name in columns}
    return Statement(sa.update(jobs).where(*_MINE).values(values))
