"""Write what a worker does with a job that it owns; each write fails once it is no longer the owner (E13)."""

import functools
from collections.abc import Callable, Mapping, Sequence

from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.states import CANCELLED, CANCELLING, TERMINATED, TERMINATING, WARNING, Severity
from diplomat_svc.operations import job_reports
from diplomat_svc.operations.file_messages import ArchivedCopy, FileEnd
from diplomat_svc.operations.job_writer import JobWriter, log_end
from diplomat_svc.operations.name_pages import TEMPORARIES, page_of
from diplomat_svc.operations.owned_files import OwnedFiles
from diplomat_svc.operations.owned_row import OwnedRow
from diplomat_svc.store import change_clock, jobs
from diplomat_svc.store.tables import WORKERS
from mft_common.database.leases import Lease, LeaseLost
from mft_common.process.runner import Json


class OwnedJob:
    """A job that this worker runs, with its `files`; `earlier` are those of its earlier attempts."""

    def __init__(self, writer: JobWriter, owner: str, job: Job, earlier: Sequence[FileRecord] = ()) -> None:
        self._row = OwnedRow(writer, owner, job)
        self.files = OwnedFiles(self._row, earlier)
        self._writer = writer
        self._database = writer.database
        self._owner = owner

    @property
    def job(self) -> Job:
        """The state of the job as of the last write."""
        return self._row.job

    @functools.cached_property
    def _handlers(self) -> Mapping[str, Callable[..., Json]]:
        files = self.files
        return {
            job_reports.NOTE: self.note,
            job_reports.EARLIER: files.earlier,
            job_reports.CHECKPOINT: files.checkpoint,
            job_reports.FOUND: files.found,
            job_reports.BEGIN_FILE: files.begin,
            job_reports.TEMPORARY: files.temporary,
            job_reports.FILE_PROGRESS: files.progress,
            job_reports.RETRYING: files.retrying,
            job_reports.END_FILES: lambda ends, last: files.end([FileEnd(**end) for end in ends], last=last),
            job_reports.WARN_FILE: files.warn,
            job_reports.ARCHIVED: lambda **copy: files.archived(ArchivedCopy(**copy)),
            job_reports.COPIED: files.copied,
            job_reports.MEMBER: files.member,
            job_reports.TAKEN: files.taken,
            job_reports.DELIVERED_MEMBER: files.delivered_member,
            TEMPORARIES: lambda start: page_of(files.temporaries, start),
        }

    def handle(self, kind: str, data: Json) -> Json:
        """Write a report of the child that runs the job (`job_reports`), and return the answer."""
        return self._handlers[kind](**data)

    def owns(self, lease: Lease) -> bool:
        """Return whether the job is still this worker's, and the worker's own lease lasts (E13)."""
        return self._database.query(
            lambda connection: jobs.is_owner(connection, self.job, self._owner) and WORKERS.is_alive(connection, lease)
        )

    def is_mine(self, lease: Lease) -> bool:
        """Return whether the job is this worker's, also where it is to be stopped, and the worker's lease lasts."""
        with self._database.read() as connection:
            return jobs.is_owned(connection, self.job, self._owner) and WORKERS.is_alive(connection, lease)

    def stop_request(self) -> str:
        """Return the completion status that a request to stop the job asks for, "" where there is none."""
        status = self._database.query(lambda each: jobs.stop_requests(each, self._owner)).get(self.job.sequence)
        return {CANCELLING: CANCELLED, TERMINATING: TERMINATED}.get(status or "", "")

    def require_mine(self, lease: Lease) -> None:
        """Raise LeaseLost where the job is not this worker's any more."""
        if not self.is_mine(lease):
            raise LeaseLost(f"job {self.job.sequence} has another owner, or is over")

    def note(self, text: str, severity: Severity = Severity.INFORMATIONAL) -> None:
        """Add a record to the job's log."""
        with self._database.write() as connection:
            self._row.change(connection)
            self._row.record(connection, text, Severity(severity))

    def stamp(self) -> int:
        """Return the time in milliseconds, later than every stamp before it and earlier than the job's end."""
        with self._database.write() as connection:
            return change_clock.advance(connection, self._writer.clock())

    def audited(self, completion: str, problem: str) -> None:
        """Write that there are audit records of a job that ends so, or the problem that there are none (E31)."""
        failed = "The audit record was not updated" if self.job.audit else "No audit record was written"
        with self._database.write() as connection:
            self._row.change(connection, audit="" if problem else completion)
            if problem:
                self._row.record(connection, f"{failed}: {problem}.", Severity.ERROR)

    def end(self, completion: str, reason: str | None = "", *, left: bool = False) -> None:
        """End the job, with `left` where temporary files of it may be left; LeaseLost when it is over or another's.

        With `reason` None it is that of the request to stop the job; that of a warning is the first of its files'.
        """
        if completion == WARNING:
            reason = self.files.first_warning() or reason
        with self._database.write() as connection:
            ended = self._writer.end(connection, self.job, completion, reason, self._owner, left=left)
            if ended is None:
                raise LeaseLost(f"job {self.job.sequence} has another owner, or is over")
        log_end(ended)

    def abort(self) -> None:
        """Let the job be aborting while what its process left is removed."""
        with self._database.write() as connection:
            self._writer.abort(connection, self.job, self._owner)

    def queue_again(self, reason: str) -> bool:
        """Let the job wait for its next attempt; False where it has none, or is no longer this worker's."""
        with self._database.write() as connection:
            return self._writer.queue_again(connection, self.job, reason, self._owner)
