"""Read the jobs that are over and may have left temporary files."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job
from diplomat_svc.store import files
from diplomat_svc.store.jobs import definition_of, load
from diplomat_svc.store.tables import jobs


@dataclass(frozen=True)
class Left:
    """A job whose temporary files are to be removed, and the names of some of them.

    `unrecorded` are names, at the source and at the destination, of files that may be delivered all the same (E18).
    """

    job: Job
    temporaries: tuple[str, ...] = ()
    unrecorded: tuple[tuple[str, str], ...] = ()


def left_by(connection: sa.Connection, sequence: int) -> Left:
    """Return what a job may have left."""
    job = load(connection, sequence)
    return Left(job, files.temporaries(connection, sequence), files.unrecorded(connection, sequence))


def destinations(connection: sa.Connection, sequences: Sequence[int]) -> dict[int, str]:
    """Return the URLs of the jobs' destinations."""
    rows = connection.execute(sa.select(jobs.c.sequence, jobs.c.definition).where(jobs.c.sequence.in_(sequences)))
    return {row.sequence: definition_of(row.definition).destination.url for row in rows}
