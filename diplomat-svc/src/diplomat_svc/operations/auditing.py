"""Write the audit records of jobs: one for the job and one for each file (45, 76, E24, E31)."""

import threading
from collections.abc import Callable
from typing import Final

from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.names import printable, shown_label
from diplomat_svc.domain.transactions import DIRECTIONS, AuditTrail
from diplomat_svc.errors import AuditFailed
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.store import audits, files, requested_jobs
from diplomat_svc.store.audit_database import AuditDatabase, Record
from mft_common import clock, logs
from mft_common.backoff import pause_after
from mft_common.database import Database
from mft_common.endpoints.targets import without_query
from mft_common.errors import Unavailable
from mft_common.process.background_tasks import BackgroundTask

_LOOK_EVERY_S: Final = 1.0
_FIRST_S: Final = 5.0
_MOST_S: Final = 300.0

Open = Callable[[AuditTrail], AuditDatabase]


class Auditor:
    """Writes to the audit database of the configuration in force, as `trail` gives it."""

    def __init__(self, database: Database, trail: Callable[[], AuditTrail | None], open_: Open = AuditDatabase) -> None:
        self._database = database
        self._trail = trail
        self._open = open_
        self._lock = threading.Lock()
        self._opened: tuple[AuditTrail, AuditDatabase] | None = None

    def write(self, job: Job, completion: str, ended_at: int, is_stopped: Callable[[], bool] = lambda: False) -> str:
        """Write the records of a job that ends with `completion`; return "", or why they are not written.

        The same records may be written any number of times. The call takes no longer than the time limit of the
        audit database, and ends soon after `is_stopped()` is true.
        """
        trail = self._trail()
        if trail is None:
            return "no audit database is configured"
        with self._database.read() as connection:
            found = files.of_job(connection, job.sequence)
        try:
            records = [_record_of_file(job, file) for file in found]
            self._database_of(trail).write(_record_of_job(job, completion, ended_at), records, is_stopped)
        except AuditFailed as error:
            return str(error)
        return ""

    def _database_of(self, trail: AuditTrail) -> AuditDatabase:
        with self._lock:
            if self._opened is None or self._opened[0] != trail:
                self._opened = trail, self._open(trail)
            return self._opened[1]


def write_pending(writer: JobWriter, auditor: Auditor) -> bool:
    """Write the audit records that jobs have not got by their ends; False where the audit database fails.

    Those are jobs that a person or a crash ended, and those for which the audit database had failed.
    """
    for sequence in writer.database.query(audits.pending):
        with writer.database.read() as connection:
            job = requested_jobs.find(connection, sequence)
        if job is None:
            # Another worker has written its record since, and a purge has deleted it.
            continue
        assert job.completion is not None
        assert job.ended_at is not None
        problem = auditor.write(job, job.completion, job.ended_at)
        with writer.database.write() as connection:
            if problem:
                audits.count_failure(connection, sequence)
            elif audits.written(connection, sequence, job.completion):
                writer.record(connection, job, "The audit record was written after the end of the job.")
        if problem:
            logs.get("audit").warning("audit.failed", sequence=sequence, reason=problem)
            return False
    return True


def audit_task(writer: JobWriter, auditor: Auditor) -> BackgroundTask:
    """Return the task of a worker that writes the missing records, with growing pauses while that fails."""

    def run(stop: threading.Event) -> None:
        failures, pause = 0, _LOOK_EVERY_S
        while not stop.wait(pause):
            try:
                failures = 0 if write_pending(writer, auditor) else failures + 1
            except Unavailable as error:
                logs.get("audit").warning("audit.unknown", error=str(error))
            pause = pause_after(failures, _FIRST_S, _MOST_S) if failures else _LOOK_EVERY_S

    return BackgroundTask("audit", run)


def _record_of_job(job: Job, completion: str, ended_at: int) -> Record:
    definition, requester = job.definition, job.requester
    return {
        "transfer_id": job.transfer_id,
        "sequence": job.token,
        "transaction_id": f"{job.transaction_id:016d}",
        "transaction_name": printable(definition.name),
        "direction": DIRECTIONS[definition.direction],
        "account": requester.account,
        "label": printable(shown_label(requester.label)),
        "address": requester.address,
        "source": printable(without_query(definition.source.url)),
        "destination": printable(without_query(definition.destination.url)),
        "scheduled_at": clock.iso(job.scheduled_at),
        "began_at": _time(job.began_at),
        "ended_at": clock.iso(ended_at),
        "completion": completion,
        "attempt": job.attempt,
        "found": job.found,
        "successful": job.successful,
        "failed": job.failed,
        "warnings": job.warnings,
        "bytes": job.bytes_done,
    }


def _record_of_file(job: Job, file: FileRecord) -> Record:
    return {
        "transfer_id": job.transfer_id,
        "place": file.place,
        "source": printable(file.source),
        "destination": printable(file.destination),
        "sha256": file.sha256,
        "began_at": clock.iso(file.began_at),
        "ended_at": _time(file.ended_at),
        "completion": file.completion,
        "description": printable(file.description),
        "size": file.size,
        "retries": file.retries,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else clock.iso(at)
