"""End the jobs that no worker runs any more, once and truthfully, or let them be tried again (E14 to E18)."""

from collections.abc import Collection

import sqlalchemy as sa

from diplomat_svc.operations.job_writer import JobWriter, log_end
from diplomat_svc.store import change_clock, jobs
from diplomat_svc.store.tables import WORKERS


def recover(writer: JobWriter, *, exclusive: bool = False, owner: str = "", running: Collection[int] = ()) -> int:
    """End the active jobs whose owner has no lease that lasts; return how many jobs ended.

    Those whose definition allows a further attempt wait for it instead.

    `exclusive` says that no other worker can be alive: on one machine, at the start of the only one. A job of `owner`,
    the worker that asks, is lost too when it is not one of those `running`: the answer to its taking got lost, or its
    thread failed. Waiting jobs end too when no worker is left and at least one died without signing out; after a clean
    stop they stay queued (E11, E16). All of it is one transaction, which also records that temporary files of the jobs
    that had begun may be left.
    """
    with writer.database.read() as connection:
        nothing = not _lost(connection, exclusive=exclusive, owner=owner, running=running)
        if nothing and not WORKERS.find_dead(connection, everyone=exclusive):
            return 0
    with writer.database.write() as connection:
        change_clock.advance(connection, writer.clock())
        dead = WORKERS.find_dead(connection, everyone=exclusive)
        lost = _lost(connection, exclusive=exclusive, owner=owner, running=running)
        if WORKERS.remove_dead(connection, dead) and dead:
            lost = sorted([*lost, *jobs.find_waiting(connection)])
        tried = [writer.end_lost(connection, jobs.load(connection, sequence)) for sequence in lost]
    ended = [job for job in tried if job is not None]
    for job in ended:
        log_end(job)
    return len(ended)


def _lost(connection: sa.Connection, *, exclusive: bool, owner: str, running: Collection[int]) -> list[int]:
    """Return the active jobs that nobody runs."""
    # The jobs first: the owner of one that is active now had signed in before.
    active = jobs.find_active(connection)
    if not active:
        return []
    alive = set() if exclusive else WORKERS.find_alive(connection)
    return [sequence for sequence, by in active.items() if by not in alive or (by == owner and sequence not in running)]
