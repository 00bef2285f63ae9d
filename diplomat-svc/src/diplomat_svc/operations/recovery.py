"""End the jobs of workers that died, once and truthfully, and remove their temporary files (E14 to E18)."""

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.states import completion_of_lost
from diplomat_svc.operations.endpoints import Endpoints
from diplomat_svc.operations.job_writer import SERVICE_STOPPED, JobWriter, log_end
from diplomat_svc.store import change_clock, jobs, workers
from mft_common import logs
from mft_common.transfer import TransferError


def recover(writer: JobWriter, endpoints: Endpoints, *, exclusive: bool) -> int:
    """End the jobs that dead workers had begun; return how many ended.

    `exclusive` says that no other worker can be alive: on one machine, at the start of the only one. Otherwise a
    worker is dead when its lease ran out. Waiting jobs end too when no worker is left and at least one died without
    signing out; after a clean stop they stay queued (E11, E16). The temporary files are removed first and the rest is
    one transaction, so that a crash in between leaves everything to the next recovery.
    """
    with writer.database.read() as connection:
        owners = workers.find_dead(connection, writer.clock(), everyone=exclusive)
        begun = jobs.open_jobs(connection, owners, waiting=False) if owners else []
    if not owners:
        return 0
    for job in begun:
        _remove_temporary_files(job, endpoints)
    with writer.database.write() as connection:
        change_clock.advance(connection, writer.clock())
        nobody_left = workers.remove_dead(connection, owners)
        found = jobs.open_jobs(connection, owners, waiting=nobody_left)
        for job in found:
            writer.end_lost(connection, job)
    for job in found:
        log_end(job, completion_of_lost(job.definition, job.status), SERVICE_STOPPED)
    return len(found)


def _remove_temporary_files(job: Job, endpoints: Endpoints) -> None:
    """Remove a job's temporary files; a destination that cannot be reached keeps them, and the log names it."""
    try:
        endpoint = endpoints.open(job.definition.destination.url, job.transfer_id, create=False)
        try:
            endpoint.sweep(job.token)
        finally:
            endpoint.close()
    except TransferError as error:
        logs.get("recovery").warning("sweep.failed", sequence=job.sequence, error=str(error))
