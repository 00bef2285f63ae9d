"""Write the row of a job that a worker owns; each write fails once it is no longer the owner (E13)."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.states import Severity
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.store import jobs


class OwnedRow:
    """The row of a job that `owner` runs; `job` is its state as of the last write."""

    def __init__(self, writer: JobWriter, owner: str, job: Job) -> None:
        self.job = job
        self.writer = writer
        self.owner = owner
        self.database = writer.database
        self.clock = writer.clock

    def change(self, connection: sa.Connection, **values: Any) -> None:
        """Write columns of the job, if any; LeaseLost where it is not the owner's any more."""
        if values:
            self.job = replace(self.job, **values)
        jobs.change(connection, self.job, self.owner, **(values or {"lease": self.job.lease}))

    def record(self, connection: sa.Connection, text: str, severity: Severity = Severity.INFORMATIONAL) -> None:
        """Add a record to the job's log."""
        self.writer.record(connection, self.job, text, severity)
