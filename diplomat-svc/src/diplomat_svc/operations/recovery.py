"""End the jobs of workers that died, once and truthfully, and remove what they left unfinished (E14 to E18)."""

from typing import Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job, lost
from diplomat_svc.operations import records
from diplomat_svc.operations.ledger import close
from diplomat_svc.operations.running import Reach, folders_of
from diplomat_svc.store import files, jobs, stamps, workers
from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.transfer import TransferError

_REASON: Final = "The service stopped."


def recover(database: Database, clock: Clock, host: str, reach: Reach, *, all_of_them: bool) -> int:
    """End what dead workers had begun; return how many jobs ended.

    `all_of_them` says that no other worker can be alive: on one machine, at the start of the only one. Otherwise a
    worker is dead when its lease ran out. Waiting jobs end too when no worker is left and at least one died without a
    goodbye; after a goodbye they stay queued (E11, E16). Unfinished files go first and the rest is one transaction, so
    that a crash in here leaves everything to the next recovery.
    """
    with database.read() as connection:
        owners = workers.dead(connection, clock(), all_of_them=all_of_them)
        begun = jobs.open_jobs(connection, owners, waiting=False) if owners else []
    if not owners:
        return 0
    for job in begun:
        _sweep(job, reach)
    with database.write() as connection:
        stamps.tick(connection, clock())
        alone = workers.bury(connection, owners)
        found = jobs.open_jobs(connection, owners, waiting=alone)
        for job in found:
            _end(connection, job, clock, host)
    return len(found)


def _end(connection: sa.Connection, job: Job, clock: Clock, host: str) -> None:
    completion = lost(job.definition, job.status)
    over = jobs.end(connection, job, completion, clock())
    if over is None:
        return
    files.abandon(connection, over.sequence, completion, clock())
    moved = files.of_job(connection, over.sequence)
    for file in moved:
        if file.completion == completion:
            text = f"{file.source} was being delivered as {file.destination}; it may be there, and then it is whole."
            records.write(connection, over, clock(), text, records.WARNING)
    close(connection, over, moved, host, _REASON)


def _sweep(job: Job, reach: Reach) -> None:
    """Remove the unfinished files of a job that had begun; a folder that is away keeps them until it is there again."""
    for url in folders_of(job.definition):
        try:
            endpoint = reach.open(url, job.transfer_id, create=False)
            try:
                endpoint.sweep(job.token)
            finally:
                endpoint.close()
        except TransferError as error:
            logs.get("recovery").warning("sweep.failed", sequence=job.sequence, error=str(error))
