"""Delete old jobs with their files and logs; the most recent job of each transaction stays for ever (E41).

A job whose audit record is still to be written, or whose temporary files are still to be removed, stays until that is
done, for at most 365 days after its end.
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.states import COMPLETE
from diplomat_svc.store.files import temporaries
from diplomat_svc.store.jobs import load
from diplomat_svc.store.tables import JOB_LOG, audits, files, jobs, lates, members, sweeps, transactions
from mft_common import logs
from mft_common.database import Database
from mft_common.endpoints.names import printable
from mft_common.endpoints.targets import without_query

_C = jobs.c
_BATCH: Final = 100
# The most names of files that one line of the log holds.
_MOST_NAMES: Final = 100
_UNFINISHED_KEEP_MS: Final = 365 * 86_400_000


def _spared(now: int) -> sa.ColumnElement[bool]:
    """Return the condition for jobs that no purge touches.

    Those are active, the most recent of a transaction, with a log that is being viewed, without their audit record, or
    with temporary files that may be left.
    """
    newest = sa.select(transactions.c.last_sequence).where(transactions.c.last_sequence.is_not(None))
    viewed = sa.select(JOB_LOG.views.c.subject)
    left = sa.or_(*(_C.sequence.in_(sa.select(table.c.sequence)) for table in (audits, sweeps)))
    unfinished = sa.and_(left, _C.ended_at >= now - _UNFINISHED_KEEP_MS)
    is_viewed = sa.cast(_C.sequence, sa.String(128)).in_(viewed)
    return sa.or_(_C.status != COMPLETE, _C.sequence.in_(newest), is_viewed, unfinished)


def purge(database: Database, now: int, *, age: float | None, newest: int | None) -> int:
    """Delete jobs that ended more than `age` seconds ago, and all but the `newest` of each transaction.

    None is no limit. Returns how many jobs were deleted. A transaction of the database deletes a hundred of them.
    """
    deleted = 0
    if age is not None:
        old = _C.ended_at < now - round(age * 1000)
        deleted += _delete(database, sa.select(_C.sequence).where(old, sa.not_(_spared(now))), now)
    if newest is not None:
        place = sa.func.row_number().over(partition_by=_C.transaction_id, order_by=_C.sequence.desc())
        ranked = sa.select(_C.sequence, place.label("place")).where(_C.status == COMPLETE).subquery()
        beyond = sa.select(ranked.c.sequence).where(ranked.c.place > newest)
        deleted += _delete(database, sa.select(_C.sequence).where(_C.sequence.in_(beyond), sa.not_(_spared(now))), now)
    return deleted


def _delete(database: Database, which: sa.Select[Any], now: int) -> int:
    with database.read() as connection:
        found: list[int] = list(connection.execute(which.order_by(_C.sequence)).scalars())
    return sum(_delete_batch(database, found[start : start + _BATCH], now) for start in range(0, len(found), _BATCH))


def _delete_batch(database: Database, sequences: Sequence[int], now: int) -> int:
    with database.write() as connection:
        # Asked again: a log may be viewed by now.
        still = sa.select(_C.sequence).where(_C.sequence.in_(sequences), sa.not_(_spared(now)))
        gone = list(connection.execute(still).scalars())
        subjects = [str(sequence) for sequence in gone]
        connection.execute(sa.delete(JOB_LOG.records).where(JOB_LOG.records.c.subject.in_(subjects)))
        unaudited = _among(connection, audits, gone)
        unswept = [_left_by(connection, each) for each in _among(connection, sweeps, gone)]
        for table in (files, members, sweeps, lates, audits, jobs):
            connection.execute(sa.delete(table).where(table.c.sequence.in_(gone)))
    for sequence in unaudited:
        logs.get("audit").error("audit.given_up", sequence=sequence)
    for left in unswept:
        logs.get("jobs").error("sweep.given_up", **left)
    return len(gone)


def _among(connection: sa.Connection, table: sa.Table, sequences: Sequence[int]) -> list[int]:
    """Return those of the jobs that have a row in a table."""
    some = sa.select(table.c.sequence).where(table.c.sequence.in_(sequences)).order_by(table.c.sequence)
    return list(connection.execute(some).scalars())


def _left_by(connection: sa.Connection, sequence: int) -> dict[str, Any]:
    """Return where a job may have left temporary files: the token that all have, and some of the names."""
    job = load(connection, sequence)
    names = [printable(name) for name in temporaries(connection, sequence)[:_MOST_NAMES]]
    folders = [without_query(url) for url in job.definition.swept_urls]
    return {"sequence": sequence, "folders": folders, "token": job.temporary_token, "names": names}
