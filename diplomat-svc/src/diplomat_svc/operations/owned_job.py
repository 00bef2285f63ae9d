"""Write what a worker does with a job that it owns; each write fails once it is no longer the owner (E13)."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.states import (
    CANCELLED,
    CANCELLING,
    COMPLETE,
    DELIVERED,
    FAILURE,
    SUCCESSFUL,
    TERMINATED,
    TERMINATING,
    WARNING,
    Severity,
    severity_of,
)
from diplomat_svc.errors import NotOwner
from diplomat_svc.operations import job_reports
from diplomat_svc.operations.job_writer import JobWriter, log_end
from diplomat_svc.store import change_clock, files, jobs, workers
from mft_common.database.leases import Lease
from mft_common.process.runner import Json

_REPORT_EVERY_MS: Final = 1000
_FILE_END: Final = (
    *("completion", "status", "retries", "sha256", "size", "bytes_done", "ended_at", "description", "temporaries"),
    *("checkpoint", "version", "delivered_size", "delivered_sha256"),
)
# The most names of copies that one record holds; the log has all.
_MOST_COPIES: Final = 20
_JOB_TOTALS: Final = ("successful", "failed", "warnings", "retries", "bytes_done")


class OwnedJob:
    """A job that this worker runs; `job` is its state as of the last write.

    `earlier` are the files of its earlier attempts.
    """

    def __init__(self, writer: JobWriter, owner: str, job: Job, earlier: Sequence[FileRecord] = ()) -> None:
        self.job = job
        self._earlier = {file.source: file for file in earlier}
        self._writer = writer
        self._database = writer.database
        self._clock = writer.clock
        self._owner = owner
        self._files = {file.place: file for file in earlier}
        self._unreported: set[int] = set()
        self._reported_at = self._clock()

    @functools.cached_property
    def _handlers(self) -> Mapping[str, Callable[..., Json]]:
        return {
            job_reports.NOTE: self.note,
            job_reports.EARLIER: self.earlier,
            job_reports.CHECKPOINT: self.checkpoint,
            job_reports.FOUND: self.found,
            job_reports.BEGIN_FILE: self.begin_file,
            job_reports.TEMPORARY: self.temporary,
            job_reports.FILE_PROGRESS: self.progress,
            job_reports.RETRYING: self.retrying,
            job_reports.END_FILE: self.end_file,
            job_reports.WARN_FILE: self.warn_file,
            job_reports.ARCHIVED: self.archived,
            job_reports.SAFE: self.safe,
        }

    def handle(self, kind: str, data: Json) -> Json:
        """Write a report of the child that runs the job (`job_reports`), and return the answer."""
        return self._handlers[kind](**data)

    def owns(self, lease: Lease) -> bool:
        """Return whether the job is still this worker's, and the worker's own lease lasts (E13)."""
        return self._database.query(
            lambda connection: jobs.is_owner(connection, self.job, self._owner) and workers.is_alive(connection, lease)
        )

    def is_mine(self, lease: Lease) -> bool:
        """Return whether the job is this worker's, also where it is to be stopped, and the worker's lease lasts."""
        with self._database.read() as connection:
            return jobs.is_owned(connection, self.job, self._owner) and workers.is_alive(connection, lease)

    def stop_request(self) -> str:
        """Return the completion status that a request to stop the job asks for, "" where there is none."""
        status = self._database.query(lambda each: jobs.stop_requests(each, self._owner)).get(self.job.sequence)
        return {CANCELLING: CANCELLED, TERMINATING: TERMINATED}.get(status or "", "")

    def require_mine(self, lease: Lease) -> None:
        """Raise NotOwner where the job is not this worker's any more."""
        if not self.is_mine(lease):
            raise NotOwner(f"job {self.job.sequence} has another owner, or is over")

    def note(self, text: str, severity: Severity = Severity.INFORMATIONAL) -> None:
        """Add a record to the job's log."""
        with self._database.write() as connection:
            self._change(connection)
            self._writer.record(connection, self.job, text, Severity(severity))

    def earlier(self, source: str) -> Json:
        """Return what an earlier attempt did with a file; it is answered once, in case two names are stored alike."""
        file = self._earlier.pop(files.storable(source), None)
        if file is None:
            return None
        wanted = ("place", "completion", "version", "checkpoint")
        return {name: getattr(file, name) for name in wanted}

    def found(self, count: int, size: int) -> int:
        """Write how many files were found, and how many bytes they have.

        Those that an earlier attempt began count also where they are gone. Where it delivered them, their sources were
        deleted since; the others are failures (E23), whose number is returned.
        """
        gone = list(self._earlier.values())
        lost = [file for file in gone if not file.delivered]
        for file in lost:
            if file.completion is None:
                text = f"Failed: {file.source} is gone since an earlier attempt; it may be delivered, and then whole."
                self.end_file(file.place, FAILURE, text, retries=file.retries, leftover=True)
        count, size = count + len(gone), size + sum(file.size for file in gone)
        self.job = replace(self.job, found=count, bytes_total=size)
        with self._database.write() as connection:
            self._change(connection, found=count, bytes_total=size)
            self._writer.record(connection, self.job, f"Found {count} file(s), {size} bytes.")
        return len(lost)

    @property
    def begun(self) -> tuple[FileRecord, ...]:
        """The files that were begun, as of the last write."""
        return tuple(self._files.values())

    @property
    def temporaries(self) -> tuple[str, ...]:
        """The names of the unfinished copies that may be at the destination."""
        return tuple(name for file in self._files.values() for name in file.temporaries)

    def begin_file(
        self,
        place: int,
        source: str,
        destination: str,
        size: int,
        temporary: str = "",
        *,
        modified_at: int | None = None,
    ) -> None:
        """Write a file's record before its temporary file is made (E20); again where the answer got lost.

        What an earlier attempt left at the destination stays known.
        """
        before = self._files.get(place)
        left = () if before is None else tuple(name for name in before.temporaries if name != temporary)
        file = FileRecord(
            place=place,
            source=files.storable(source),
            destination=files.storable(destination),
            size=size,
            modified_at=modified_at,
            began_at=self._clock(),
            temporaries=(*left, temporary) if temporary else left,
            checkpoint=None if before is None else before.checkpoint,
        )
        totals = {} if before is None else self._count(before, file)
        self._remember(file)
        with self._database.write() as connection:
            self._change(connection, **totals)
            files.begin(connection, self.job.sequence, file)
            self._report(connection)

    def temporary(self, place: int, name: str) -> None:
        """Write the name of another unfinished copy of a file."""
        before = self._files[place]
        self._change_file(replace(before, temporaries=(*before.temporaries, name)), ("temporaries",))

    def checkpoint(self, place: int, checkpoint: str) -> None:
        """Write how far a file is."""
        self._change_file(replace(self._files[place], checkpoint=checkpoint), ("checkpoint",))

    def progress(self, place: int, count: int) -> None:
        """Write how many bytes of a file are moved; no status changes, so the transaction gets no new stamp (A40)."""
        self._change_file(replace(self._files[place], bytes_done=count), ("bytes_done",))

    def retrying(self, place: int, retries: int) -> None:
        """Write that a file is tried again, for the `retries`th time."""
        self._change_file(replace(self._files[place], retries=retries), ("retries",))

    def end_file(
        self,
        place: int,
        completion: str,
        text: str,
        *,
        retries: int,
        sha256: str | None = None,
        size: int | None = None,
        leftover: bool = False,
        version: str = "",
        delivered_size: int | None = None,
        delivered_sha256: str | None = None,
    ) -> None:
        """Write how a file ended; `text` goes to the log, and into the events where something went wrong.

        With `leftover` an unfinished copy is still at the destination.
        """
        before = self._files[place]
        size = before.size if size is None else size
        file = replace(
            before,
            completion=completion,
            status=COMPLETE,
            retries=retries,
            sha256=sha256,
            size=size,
            bytes_done=size if completion in DELIVERED else before.bytes_done,
            ended_at=max(self._clock(), before.began_at),
            description="" if completion == SUCCESSFUL else files.storable(text),
            temporaries=before.temporaries if leftover else before.temporaries[:-1],
            checkpoint=None if completion in DELIVERED else before.checkpoint,
            version=version,
            delivered_size=delivered_size,
            delivered_sha256=delivered_sha256,
        )
        self._change_file(file, _FILE_END, text)

    def warn_file(self, place: int, text: str) -> None:
        """Turn a file's success into a warning: it was delivered, and a later step failed."""
        file = replace(self._files[place], completion=WARNING, description=files.storable(text))
        self._change_file(file, _FILE_END, text)

    def archived(self, place: int, which: str, name: str, text: str, temporaries: Sequence[str]) -> None:
        """Write that a copy of a file is in an archive."""
        before = self._files[place]
        names = (*before.archived.get(which, ()), files.storable(name))[:_MOST_COPIES]
        left = tuple(one for one in before.temporaries if one not in temporaries)
        file = replace(before, archived={**before.archived, which: names}, temporaries=left)
        self._change_file(file, ("archived", "temporaries"))
        if text:
            self.note(text)

    def safe(self, place: int, version: str) -> None:
        """Write that another attempt has nothing to do with a file but to delete its source."""
        self._change_file(replace(self._files[place], version=version), ("version",))

    def stamp(self) -> int:
        """Return the time in milliseconds, later than every stamp before it and earlier than the job's end."""
        with self._database.write() as connection:
            return change_clock.advance(connection, self._clock())

    def audited(self, completion: str, problem: str) -> None:
        """Write that there are audit records of a job that ends so, or the problem that there are none (E31)."""
        failed = "The audit record was not updated" if self.job.audit else "No audit record was written"
        self.job = replace(self.job, audit="" if problem else completion)
        with self._database.write() as connection:
            self._change(connection, audit=self.job.audit)
            if problem:
                self._writer.record(connection, self.job, f"{failed}: {problem}.", Severity.ERROR)

    def end(self, completion: str, reason: str = "", *, left: bool = False) -> None:
        """End the job, with `left` where temporary files of it may be left; NotOwner when it is over or another's."""
        with self._database.write() as connection:
            if not self._writer.end(connection, self.job, completion, reason, self._owner, left=left):
                raise NotOwner(f"job {self.job.sequence} has another owner, or is over")
        log_end(self.job, completion, reason)

    def abort(self) -> None:
        """Let the job be aborting while what its process left is removed."""
        with self._database.write() as connection:
            self._writer.abort(connection, self.job, self._owner)

    def queue_again(self, reason: str) -> bool:
        """Let the job wait for its next attempt; False where it has none, or is no longer this worker's."""
        with self._database.write() as connection:
            return self._writer.queue_again(connection, self.job, reason, self._owner)

    def _change_file(self, file: FileRecord, columns: tuple[str, ...], text: str = "") -> None:
        """Write columns of a file and the totals that follow from them; `text` becomes a record of the log."""
        before = self._files[file.place]
        self._remember(file)
        totals = self._count(before, file)
        with self._database.write() as connection:
            self._change(connection, **totals)
            files.change(connection, self.job.sequence, file, columns)
            if text:
                self._writer.record(connection, self.job, text, severity_of(file.completion))
            self._report(connection)

    def _count(self, before: FileRecord, file: FileRecord) -> dict[str, Any]:
        """Bring the totals of the job up to date with a changed file; return all of them."""
        old, new = _counts(before), _counts(file)
        self.job = replace(self.job, **{name: getattr(self.job, name) + new[name] - old[name] for name in _JOB_TOTALS})
        return {name: getattr(self.job, name) for name in _JOB_TOTALS}

    def _remember(self, file: FileRecord) -> None:
        self._files[file.place] = file
        self._unreported.add(file.place)

    def _change(self, connection: sa.Connection, **values: Any) -> None:
        jobs.change(connection, self.job, self._owner, **(values or {"lease": self.job.lease}))

    def _report(self, connection: sa.Connection) -> None:
        """Publish the files that changed, at most once a second."""
        now = self._clock()
        if now - self._reported_at < _REPORT_EVERY_MS:
            return
        self._writer.progress(connection, self.job, [self._files[place] for place in sorted(self._unreported)])
        self._reported_at = now
        self._unreported.clear()


def _counts(file: FileRecord) -> dict[str, int]:
    """Return what one file adds to the totals of its job."""
    return {
        "successful": int(file.completion in DELIVERED),
        "failed": int(file.completion == FAILURE),
        "warnings": int(file.completion == WARNING),
        "retries": file.retries,
        "bytes_done": file.bytes_done,
    }
