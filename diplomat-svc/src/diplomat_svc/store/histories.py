"""Read what answers tell of jobs and of their files; no more columns are read than are told."""

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.histories import FileHistory, JobHistory
from diplomat_svc.store.jobs import definition_of
from diplomat_svc.store.tables import files, jobs
from mft_common.database.statements import Statement

_C: Final = jobs.c
_F: Final = files.c
# The columns of a JobHistory; in the place of the name stands the definition that has it.
JOB: Final = tuple(_C["definition" if name == "name" else name] for name in JobHistory._fields[:-1])
_DEFINITION: Final = JobHistory._fields.index("name")
_PAGE: Final = 100
# The most files that are read at a time, but for a single job with more.
_FILES: Final = 2_000


def history_of(row: Sequence[Any]) -> JobHistory:
    """Return the job of a row of the columns `JOB`."""
    name = definition_of(row[_DEFINITION]).name
    return JobHistory._make([*row[:_DEFINITION], name, *row[_DEFINITION + 1 :], None])


def page(
    connection: sa.Connection, ids: Sequence[int], before: int | None
) -> Iterator[tuple[JobHistory, Sequence[FileHistory]]]:
    """Yield up to 100 jobs below the sequence `before`, the newest first, each with its files."""
    below = sa.true() if before is None else _C.sequence < before
    rows = sa.select(*JOB).where(_C.transaction_id.in_(ids), below).order_by(_C.sequence.desc()).limit(_PAGE)
    group: list[JobHistory] = []
    count = 0
    for job in [history_of(row) for row in connection.execute(rows)]:
        if group and count + job.found > _FILES:
            yield from _with_files(connection, group)
            group, count = [], 0
        group.append(job)
        count += job.found
    yield from _with_files(connection, group)


def _with_files(
    connection: sa.Connection, group: Sequence[JobHistory]
) -> Iterator[tuple[JobHistory, Sequence[FileHistory]]]:
    moved = files_of(connection, [job.sequence for job in group])
    return ((job, moved[job.sequence]) for job in group)


def files_of(connection: sa.Connection, sequences: Collection[int]) -> dict[int, list[FileHistory]]:
    """Return the files of several jobs, in order, by the jobs' numbers."""
    found: dict[int, list[FileHistory]] = {sequence: [] for sequence in sequences}
    wanted = sorted(sequences)
    for start in range(0, len(wanted), 500):
        # As many places for numbers as there are, or one more than enough of the next size: few statements in all.
        some = wanted[start : start + 500]
        count = 1 << (len(some) - 1).bit_length()
        values = {f"n{place}": some[min(place, len(some) - 1)] for place in range(count)}
        for row in _files_of(count).all(connection, values):
            found[row[0]].append(FileHistory._make(row[1:]))
    return found


@lru_cache(maxsize=16)
def _files_of(count: int) -> Statement:
    some = _F.sequence.in_([sa.bindparam(f"n{place}", type_=sa.BigInteger) for place in range(count)])
    columns = (_F[name] for name in FileHistory._fields)
    return Statement(sa.select(_F.sequence, *columns).where(some).order_by(_F.sequence, _F.place))
