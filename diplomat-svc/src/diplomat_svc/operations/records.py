"""Word the records of a job's log; no name or value can forge a line of it (58, A59, A60, E39)."""

from typing import Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.names import printable, shown_label
from diplomat_svc.store import jobs

INFORMATIONAL: Final = "Informational"
WARNING: Final = "Warning"
ERROR: Final = "Error"


def write(
    connection: sa.Connection, job: Job, at: int, text: str, severity: str = INFORMATIONAL, *, asked: bool = False
) -> None:
    """Add a record in the transaction of what it tells; `asked` adds the label of the client behind it."""
    line = f'Transaction "{printable(job.definition.name)}"; {printable(text)}'
    if asked and job.asker.label:
        line += f" [{printable(shown_label(job.asker.label))}]"
    jobs.record(connection, job.sequence, at, severity, line)
