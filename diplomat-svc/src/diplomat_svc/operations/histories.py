"""List the jobs of transactions, the newest first, in constant memory (2.5, E42)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from diplomat_svc.domain.histories import FileHistory, JobHistory
from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.transactions import Options
from diplomat_svc.errors import BadRequest, NoHistories
from diplomat_svc.operations import rights
from diplomat_svc.operations.statuses import monitor_time
from diplomat_svc.schemas.requests import Which
from diplomat_svc.store import files, requested_jobs, timers
from diplomat_svc.store import histories as stored_histories
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.identity import Identity


@dataclass(frozen=True)
class Block:
    """The jobs of one transaction; `jobs` reads them page by page and can be used once."""

    monitor_time: int
    name: str
    jobs: Iterator[tuple[JobHistory, Sequence[FileHistory]]]


@dataclass(frozen=True)
class Histories:
    """An answer of jobHistories; `update_rate` is in seconds."""

    update_rate: int
    blocks: Iterator[Block]


def job_histories(
    database: Database, clock: Clock, wanted: Sequence[Which], caller: Identity, options: Options
) -> Histories:
    """Return one block for each transaction, in the order asked (47, A42); NoHistories where none are kept (49)."""
    if not options.histories_enabled:
        raise NoHistories("This service keeps no job histories.")
    return Histories(round(options.histories_update_rate), _blocks(database, clock, wanted, caller))


def _blocks(database: Database, clock: Clock, wanted: Sequence[Which], caller: Identity) -> Iterator[Block]:
    visible = rights.visible_to(caller)
    shown: set[tuple[int, ...] | str] = set()
    for which in wanted:
        with database.read() as connection:
            found = requested_jobs.named(connection, number=which.number, name=which.name)
        found = [one for one in found if visible(one.name)]
        ids, name = tuple(one.id for one in found), found[0].name if found else which.name or ""
        # An id and a name of one transaction make one block (A44), and so does a value that is repeated.
        key = ids[:1] or f"{which.number} {which.name}"
        if key not in shown:
            shown.add(key)
            yield Block(monitor_time(database, clock), name, _jobs(database, ids))


def _jobs(database: Database, ids: Sequence[int]) -> Iterator[tuple[JobHistory, Sequence[FileHistory]]]:
    before: int | None = None
    while ids:
        with database.read() as connection:
            found = list(stored_histories.page(connection, ids, before))
            if before is None and found:
                (newest, moved), next_at = found[0], timers.next_times(connection, ids)
                found[0] = newest._replace(next_scheduled=next_at.get(newest.transaction_id)), moved
        yield from found
        if not found:
            return
        before = found[-1][0].sequence


def newest_job(database: Database, which: Which, caller: Identity) -> tuple[Job, tuple[FileRecord, ...]]:
    """Return the most recent job of a transaction with its files (44); BadRequest where there is none."""
    with database.read() as connection:
        found = requested_jobs.named(connection, number=which.number, name=which.name)
        if not found or not rights.visible_to(caller)(found[0].name):
            raise rights.unknown_transaction(which)
        job = requested_jobs.newest(connection, [one.id for one in found])
        if job is None:
            raise BadRequest("The transaction has no job yet.")
        return job, files.of_job(connection, job.sequence)
