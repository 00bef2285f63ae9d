"""Read the data of transactionStatuses as of one moment."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from diplomat_svc.domain.histories import TransactionStatus
from diplomat_svc.domain.transactions import SCHEDULED
from diplomat_svc.store import timers
from diplomat_svc.store.histories import JOB, files_of, history_of
from diplomat_svc.store.tables import clock, jobs, transactions
from mft_common.database.statements import Statement


@dataclass(frozen=True)
class Snapshot:
    """The changes after a stamp; every other change has, or will get, a stamp above `as_of`."""

    as_of: int
    changed: tuple[TransactionStatus, ...]
    ends: tuple[tuple[str, str, str | None], ...]


_T: Final = transactions.c
_SINCE: Final = sa.bindparam("since", type_=sa.BigInteger)
# Stamps are positive.
_BEFORE_ALL: Final = -1
_CHANGED: Final = sa.and_(sa.not_(_T.removed), _T.stamp > _SINCE)
# One statement, hence one moment on every database; the clock's row comes also when nothing changed.
_ROWS: Final = Statement(
    sa.select(clock.c.stamp, clock.c.answered, _T.id, _T.name, _T.direction, _T.state, *JOB)
    .select_from(clock.outerjoin(transactions, _CHANGED).outerjoin(jobs, jobs.c.sequence == _T.last_sequence))
    .order_by(_T.id)
)
_HEAD: Final = 6
_ENDS: Final = Statement(sa.select(_T.name, _T.direction, _T.last_completion).where(sa.not_(_T.removed)))


def read(connection: sa.Connection, since: int | None) -> Snapshot:
    """Return the transactions whose stamp is greater than `since`, by id, and name, direction and last end of all."""
    rows = _ROWS.all(connection, {"since": _BEFORE_ALL if since is None else since})
    found = [row for row in rows if row[2] is not None]
    next_at = timers.next_times(connection, [row[2] for row in found if row[5] == SCHEDULED])
    moved = files_of(connection, [row[_HEAD] for row in found if row[_HEAD] is not None])
    changed = []
    for _, _, number, name, direction, state, *job in found:
        if job[0] is None:
            changed.append(TransactionStatus(number, name, direction, state, None, ()))
            continue
        history = history_of(job)
        if (at := next_at.get(number)) is not None:
            history = history._replace(next_scheduled=at)
        changed.append(TransactionStatus(number, name, direction, state, history, tuple(moved[history.sequence])))
    ends = tuple((name, direction, end) for name, direction, end in _ENDS.all(connection, {}))
    return Snapshot(max(rows[0][0], rows[0][1]), tuple(changed), ends)
