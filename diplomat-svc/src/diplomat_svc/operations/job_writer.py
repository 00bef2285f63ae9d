"""Write each change of a job once: its row, its log record and its events commit in one transaction (E4, E5)."""

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.names import log_text, printable, shown_label
from diplomat_svc.domain.states import (
    ACTIVE,
    DELAYED,
    PREVIEW_LICENSE,
    SUCCESSFUL,
    Severity,
    completion_of_lost,
    severity_of,
)
from diplomat_svc.operations import notices, transfer_events
from diplomat_svc.settings import SERVICE
from diplomat_svc.store import audits, files, jobs, members, requested_jobs, timers
from diplomat_svc.store.tables import OUTBOX, SWEEPS
from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.after_commit import on_commit
from mft_common.process import work_metrics

_SERVICE_STOPPED = "The service stopped."
_NO_LICENSE = "There is no valid licence."


def log_end(job: Job) -> None:
    """Write the end of a job to the service's log, once it is committed."""
    log = logs.get("jobs")
    write = log.info if job.completion == SUCCESSFUL else log.warning
    write(
        "job.ended", sequence=job.sequence, transaction=job.definition.name, completion=job.completion,
        reason=job.reason, found=job.found, successful=job.successful, failed=job.failed, transfer_id=job.transfer_id,
    )  # fmt: skip


class JobWriter:
    """Stores, takes and ends jobs; `host` is this machine's name in the events.

    Every method works in the caller's transaction. `OwnedJob` writes what happens between taking and ending.
    """

    def __init__(self, database: Database, clock: Clock, host: str) -> None:
        self.database = database
        self.clock = clock
        self._host = host

    def schedule(self, connection: sa.Connection, job: Job, request_id: str, *, text: str, due_at: int = 0) -> None:
        """Store a job that is queued, or delayed until `due_at`; `text` says by what it was scheduled.

        The caller has advanced the change clock, under whose lock the queue was counted.
        """
        jobs.add(connection, job, request_id, due_at)
        notices.expect(connection, job)
        if job.status == DELAYED:
            timers.delay(connection, job.sequence, due_at, self.clock())
        self.record(connection, job, text, at=job.scheduled_at, label=shown_label(job.requester.label))
        OUTBOX.add(connection, transfer_events.started(job, self._host), transfer_events.job_changed(job))

    def release(self, connection: sa.Connection, sequence: int) -> None:
        """Queue a delayed job, unless it was stopped before."""
        queued = jobs.release(connection, sequence, self.clock())
        if queued is not None:
            self.record(connection, queued, "Queued after its delay.")
            OUTBOX.add(connection, transfer_events.job_changed(queued))

    def refuse_next(self, connection: sa.Connection) -> Job | None:
        """End the job that would be taken next, because there is no valid licence (70); return it."""
        job = jobs.next_to_take(connection, self.clock())
        return None if job is None else self.end_waiting(connection, job, PREVIEW_LICENSE, _NO_LICENSE)

    def abort(self, connection: sa.Connection, job: Job, owner: str) -> None:
        """Let a job of `owner` be aborting, unless somebody stopped it or it is not the owner's any more."""
        aborting = jobs.abort(connection, job, owner, self.clock())
        if aborting is not None:
            OUTBOX.add(connection, transfer_events.job_changed(aborting))

    def take(self, connection: sa.Connection, owner: str) -> tuple[Job, str] | None:
        """Give the first queued job whose transaction is idle to `owner`; also return its request id (E12)."""
        taken = jobs.take(connection, owner, self.clock())
        if taken is not None:
            attempt = f" Attempt {taken[0].attempt}." if taken[0].attempt > 1 else ""
            self.record(connection, taken[0], f"Begun by a worker.{attempt}")
            OUTBOX.add(connection, transfer_events.job_changed(taken[0]))
        return taken

    def progress(self, connection: sa.Connection, job: Job, changed: Sequence[FileRecord]) -> None:
        """Publish the totals of a running job and the files that changed."""
        OUTBOX.add(connection, *transfer_events.progressed(job, changed, self._host))

    def end(
        self,
        connection: sa.Connection,
        job: Job,
        completion: str,
        reason: str | None,
        owner: str,
        *,
        left: bool = False,
    ) -> Job | None:
        """End a job of `owner` and return it; None when the job is over already or belongs to another.

        With `reason` None the one stays that the request to stop the job has stored.
        `left` says that temporary files of it may be left, whose removal is then recorded to be done.
        """
        ended = jobs.end(connection, job, completion, self.clock(), reason=reason, owner=owner)
        if ended is None:
            return None
        if left:
            SWEEPS.add(connection, ended.sequence, self.clock())
        self._publish_end(connection, ended, self._end_files(connection, ended))
        return ended

    def ask_to_stop(self, connection: sa.Connection, job: Job, status: str, reason: str, stamp: int) -> None:
        """Set the status that the worker of an active job obeys, and why; the caller has advanced the change clock."""
        requested_jobs.ask_to_stop(connection, job, status, reason, stamp)
        OUTBOX.add(connection, transfer_events.job_changed(replace(job, status=status, updated_at=stamp)))

    def end_waiting(self, connection: sa.Connection, job: Job, completion: str, reason: str) -> Job | None:
        """End a job that no worker has and return it, None where it is over.

        The caller holds the change clock, so that no worker can take the job.
        """
        ended = jobs.end(connection, job, completion, self.clock(), reason=reason)
        if ended is None:
            return None
        if job.attempt > 1:
            # An earlier attempt has left files that the next one was to go on with.
            SWEEPS.add(connection, ended.sequence, self.clock())
        self._publish_end(connection, ended, self._end_files(connection, ended))
        return ended

    def queue_again(self, connection: sa.Connection, job: Job, reason: str, owner: str | None = None) -> bool:
        """Let a running job wait for its next attempt; False when it may not be tried again, or is no longer `owner`'s.

        What it has at its destination stays there for that attempt.
        """
        queued = jobs.queue_again(connection, job, self.clock(), owner) if job.may_be_tried_again else None
        if queued is None:
            return False
        delay = job.definition.retries.job_delay
        text = f"Attempt {job.attempt} failed. {reason} The next one begins in {delay:g} s."
        self.record(connection, queued, text, Severity.WARNING)
        OUTBOX.add(connection, transfer_events.job_changed(queued))
        return True

    def end_lost(self, connection: sa.Connection, job: Job) -> Job | None:
        """End a job whose worker died, and name each file that may have been delivered unrecorded (E15); return it.

        None where it waits for its next attempt instead.
        """
        if self.queue_again(connection, job, _SERVICE_STOPPED):
            return None
        completion = completion_of_lost(job.definition, job.status)
        ended = jobs.end(connection, job, completion, self.clock(), reason=_SERVICE_STOPPED)
        if ended is None:
            return None
        found = self._end_files(connection, ended)
        for file in found:
            if file.completion == completion:
                text = f"{file.source} was being delivered as {file.destination}; it may be there, and then whole."
                if job.definition.compress.unzip:
                    text = (
                        f"{file.source} was being unpacked; a member that this log does not name may be there as well."
                    )
                self.record(connection, ended, text, Severity.WARNING)
        if job.status in ACTIVE:
            SWEEPS.add(connection, ended.sequence, self.clock())
        self._publish_end(connection, ended, found)
        return ended

    def record(
        self,
        connection: sa.Connection,
        job: Job,
        text: str,
        severity: Severity = Severity.INFORMATIONAL,
        *,
        at: int | None = None,
        label: str = "",
    ) -> None:
        """Add a record to the job's log; `label`, of the client that caused it, is appended.

        No name and no value can forge a line of the log (58, A59, A60, E39).
        """
        line = f'Transaction "{printable(job.definition.name)}"; {log_text(text)}'
        if label:
            line += f" [{printable(label)}]"
        jobs.add_record(connection, job.sequence, self.clock() if at is None else at, severity, line)

    def _end_files(self, connection: sa.Connection, job: Job) -> Sequence[FileRecord]:
        """End the files that were not over when their job ended; return all, and say which ones lack copies (E36)."""
        assert job.completion is not None
        files.abandon(connection, job.sequence, job.completion, self.clock())
        if job.definition.compress.unzip:
            members.remove(connection, job.sequence)
        found = files.of_job(connection, job.sequence)
        for file in found:
            # A copy that failed has made its file a warning, which the log tells already.
            if file.copies_pending == SUCCESSFUL == file.completion:
                text = f"{file.source} was delivered as {file.destination}; not all its copies are archived."
                self.record(connection, job, text, Severity.WARNING)
        return found

    def _publish_end(self, connection: sa.Connection, job: Job, found: Sequence[FileRecord]) -> None:
        completion, began_at, ended_at = job.completion or "", job.began_at, self.clock()
        on_commit(connection, lambda: work_metrics.ended(SERVICE, "job", completion, began_at, ended_at))
        text = f"Job {job.token} ended: {job.completion}.{f' {job.reason}' if job.reason else ''}"
        self.record(connection, job, text, severity_of(job.completion), at=job.ended_at)
        OUTBOX.add(connection, *transfer_events.ended(job, found, self._host), transfer_events.job_changed(job))
        notices.add_of_end(connection, job)
        if job.definition.audit.record and job.audit != job.completion:
            audits.add(connection, job.sequence)
