"""End the jobs of workers that died, once and truthfully, and remove their temporary files (E14 to E18)."""

from collections.abc import Callable

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.states import completion_of_lost
from diplomat_svc.operations.job_writer import SERVICE_STOPPED, JobWriter, log_end
from diplomat_svc.store import change_clock, jobs, workers


def recover(writer: JobWriter, sweep: Callable[[list[Job]], None], *, exclusive: bool) -> int:
    """End the jobs that dead workers had begun; return how many ended.

    `exclusive` says that no other worker can be alive: on one machine, at the start of the only one. Otherwise a
    worker is dead when its lease ran out. Waiting jobs end too when no worker is left and at least one died without
    signing out; after a clean stop they stay queued (E11, E16). The temporary files are removed first, by `sweep`, and
    the rest is one transaction, so that a crash in between leaves everything to the next recovery.
    """
    with writer.database.read() as connection:
        owners = workers.find_dead(connection, everyone=exclusive)
        begun = jobs.open_jobs(connection, owners, waiting=False) if owners else []
    if not owners:
        return 0
    if begun:
        sweep(begun)
    with writer.database.write() as connection:
        change_clock.advance(connection, writer.clock())
        nobody_left = workers.remove_dead(connection, owners)
        found = jobs.open_jobs(connection, owners, waiting=nobody_left)
        for job in found:
            writer.end_lost(connection, job)
    for job in found:
        log_end(job, completion_of_lost(job.definition, job.status), SERVICE_STOPPED)
    return len(found)
