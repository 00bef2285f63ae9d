"""Claim the jobs that are over and may have left temporary files."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job
from diplomat_svc.store import files
from diplomat_svc.store.jobs import definition_of, load
from diplomat_svc.store.tables import SWEEPS, jobs


@dataclass(frozen=True)
class Sweep:
    """A job whose temporary files are to be removed, the names of some of them, and how often that was begun.

    `unrecorded` are names, at the source and at the destination, of files that may be delivered all the same (E18).
    """

    job: Job
    tries: int
    temporaries: tuple[str, ...] = ()
    unrecorded: tuple[tuple[str, str], ...] = ()


def claim(connection: sa.Connection, now: int, most: int, busy: Collection[str] = ()) -> list[Sweep]:
    """Claim removals that are due, of jobs with different destinations, none of which is in `busy`."""

    def destinations(sequences: Sequence[int]) -> dict[int, str]:
        rows = connection.execute(sa.select(jobs.c.sequence, jobs.c.definition).where(jobs.c.sequence.in_(sequences)))
        return {row.sequence: definition_of(row.definition).destination.url for row in rows}

    return [
        Sweep(
            load(connection, one.key),
            one.tries,
            files.temporaries(connection, one.key),
            files.unrecorded(connection, one.key),
        )
        for one in SWEEPS.claim(connection, now, most, destinations, busy)
    ]
