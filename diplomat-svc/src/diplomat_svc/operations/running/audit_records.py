"""Have the audit records of a job written before its sources are deleted, and at its end (E24, E31)."""

from diplomat_svc.domain import states
from diplomat_svc.domain.transactions import Transaction
from diplomat_svc.operations.job_reports import JobReports
from mft_common.endpoints.errors import Interrupted


class AuditRecords:
    """The audit records of one attempt; the worker writes them, because it has the database."""

    def __init__(self, reports: JobReports, definition: Transaction) -> None:
        self._reports = reports
        self._audit = definition.audit
        self._asked: tuple[str, ...] = ()
        # Whether sources may have been deleted: after a record of this attempt, or in an earlier one.
        self._may_have_deleted = definition.delete_source and reports.job.attempt > 1
        self._delete_source = definition.delete_source

    def write(self, completion: str, reason: str = "") -> tuple[str, str]:
        """Write the records of a job that ends so, and return its end: another one where that failed and is critical.

        Nothing is written where that was tried for this end of the job and of its files.
        """
        if not self._audit.record or completion == states.CRITICAL:
            return completion, reason
        ends = (completion, *self._reports.completions())
        if ends == self._asked:
            return completion, reason
        self._asked = ends
        problem = self._reports.audit(completion)
        if problem is None:
            raise Interrupted("stopped while the audit records were written")
        if problem and self._audit.critical:
            return states.CRITICAL, self._critical(problem)
        self._may_have_deleted = self._delete_source
        return completion, reason

    def _critical(self, problem: str) -> str:
        if self._may_have_deleted:
            return (
                f"The audit record of this end was not written: {problem}; "
                "sources that were deleted after an earlier record are gone, and no further one is deleted."
            )
        return f"No audit record was written: {problem}; the sources stay."

    def write_last(self, completion: str, reason: str) -> tuple[str, str]:
        """Write the records at the end of the attempt, unless another one follows after this failure."""
        if completion == states.FAILURE and not self._reports.job.last:
            return completion, reason
        return self.write(completion, reason)
