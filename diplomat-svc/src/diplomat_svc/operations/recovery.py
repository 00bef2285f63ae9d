"""End the jobs that no worker runs any more, once and truthfully, or let them be tried again (E14 to E18)."""

from collections.abc import Collection

import sqlalchemy as sa

from diplomat_svc.operations.job_writer import JobWriter, log_end
from diplomat_svc.store import change_clock, jobs
from diplomat_svc.store.tables import WORKERS
from mft_common.database.workers import Lost


def recover(writer: JobWriter, *, exclusive: bool = False, owner: str = "", running: Collection[int] = ()) -> int:
    """End the active jobs that are lost, see `Workers.find_lost`; return how many jobs ended.

    Those whose definition allows a further attempt wait for it instead. Waiting jobs end too when no worker is left and
    at least one died without signing out; after a clean stop they stay queued (E11, E16). All of it is one transaction,
    which also records that temporary files of the jobs that had begun may be left.
    """

    def find(connection: sa.Connection) -> Lost[int]:
        return WORKERS.find_lost(connection, jobs.find_active, exclusive=exclusive, owner=owner, running=running)

    with writer.database.read() as connection:
        found = find(connection)
    if not found.pieces and not found.dead:
        return 0
    with writer.database.write() as connection:
        change_clock.advance(connection, writer.clock())
        found = find(connection)
        lost = list(found.pieces)
        if WORKERS.remove_dead(connection, found.dead) and found.dead:
            lost = sorted([*lost, *jobs.find_waiting(connection)])
        tried = [writer.end_lost(connection, jobs.load(connection, sequence)) for sequence in lost]
    ended = [job for job in tried if job is not None]
    for job in ended:
        log_end(job)
    return len(ended)
