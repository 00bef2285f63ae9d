"""Write down what a worker does with the jobs it owns; every write fails once it is no longer the owner (E13)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import COMPLETE, FAILURE, SUCCESSFUL, WARNING, FileRecord, Job
from diplomat_svc.errors import NotOwner
from diplomat_svc.operations import records, telling
from diplomat_svc.store import files, jobs
from mft_common.clock import Clock
from mft_common.database import Database

_TELL_EVERY_MS: Final = 1000


class Ledger:
    """What one worker writes about one job. `job` is the job as this worker knows it."""

    def __init__(self, database: Database, clock: Clock, host: str, owner: str, job: Job) -> None:
        self.job = job
        self._database = database
        self._clock = clock
        self._host = host
        self._owner = owner
        self._files: dict[int, FileRecord] = {}
        self._untold: set[int] = set()
        self._told_at = clock()

    def check(self) -> None:
        """Raise NotOwner unless the job is still this worker's."""
        with self._database.read() as connection:
            jobs.check_owner(connection, self.job, self._owner)

    def note(self, text: str, severity: str = records.INFORMATIONAL) -> None:
        """Add a record to the job's log."""
        with self._database.write() as connection:
            self._change(connection)
            records.write(connection, self.job, self._clock(), text, severity)

    def found(self, count: int, size: int) -> None:
        """Write down how many files were found, and how many bytes they have."""
        self.job = replace(self.job, found=count, bytes_total=size)
        with self._database.write() as connection:
            self._change(connection, found=count, bytes_total=size)
            records.write(connection, self.job, self._clock(), f"Found {count} file(s), {size} bytes.")

    def begin_file(self, place: int, source: str, destination: str, size: int) -> None:
        """Note a file before anything of it is made (E20)."""
        file = FileRecord(
            place=place,
            source=files.storable(source),
            destination=files.storable(destination),
            size=size,
            began_at=self._clock(),
        )
        self._files[place] = file
        self._untold.add(place)
        with self._database.write() as connection:
            self._change(connection)
            files.add(connection, self.job.sequence, file)
            self._tell(connection)

    def progress(self, place: int, count: int) -> None:
        """Write down how far a file is; no status changes, so nothing is stamped (A40)."""
        done = self.job.bytes_done + count - self._files[place].bytes_done
        self.job = replace(self.job, bytes_done=done)
        self._files[place] = replace(self._files[place], bytes_done=count)
        self._untold.add(place)
        with self._database.write() as connection:
            self._change(connection, bytes_done=done)
            files.change(connection, self.job.sequence, place, bytes_done=count)
            self._tell(connection)

    def end_file(
        self,
        place: int,
        completion: str,
        text: str,
        *,
        retries: int,
        sha256: str | None = None,
        size: int | None = None,
    ) -> None:
        """Write down how a file ended; `text` says it in the log, and to other services where it went wrong."""
        old = self._files[place]
        good = completion in (SUCCESSFUL, WARNING)
        file = replace(
            old,
            completion=completion,
            status=COMPLETE,
            retries=retries,
            sha256=sha256,
            size=old.size if size is None else size,
            bytes_done=(old.size if size is None else size) if good else old.bytes_done,
            ended_at=max(self._clock(), old.began_at),
            description="" if completion == SUCCESSFUL else files.storable(text),
        )
        self._files[place] = file
        self._untold.add(place)
        self._write_end(old, file, text)

    def warn_file(self, place: int, text: str) -> None:
        """Turn a file's success into a warning: it was delivered, and something after that went wrong."""
        old = self._files[place]
        file = replace(old, completion=WARNING, description=files.storable(text))
        self._files[place] = file
        self._untold.add(place)
        self._write_end(old, file, text)

    def end(self, completion: str, reason: str = "") -> None:
        """End the job, once, with everything that tells of it in one transaction (E4)."""
        with self._database.write() as connection:
            ended = jobs.end(connection, self.job, completion, self._clock(), self._owner)
            if ended is None:
                raise NotOwner(f"job {self.job.sequence} has another owner, or is over")
            files.abandon(connection, ended.sequence, completion, self._clock())
            close(connection, ended, files.of_job(connection, ended.sequence), self._host, reason)

    def completions(self) -> tuple[str | None, ...]:
        """Return how the files ended so far."""
        return tuple(file.completion for file in self._files.values())

    def _write_end(self, old: FileRecord, new: FileRecord, text: str) -> None:
        ends = self.completions()
        self.job = replace(
            self.job,
            successful=sum(end in (SUCCESSFUL, WARNING) for end in ends),
            failed=sum(end == FAILURE for end in ends),
            warnings=sum(end == WARNING for end in ends),
            bytes_done=self.job.bytes_done + new.bytes_done - old.bytes_done,
        )
        changed = {name: getattr(self.job, name) for name in ("successful", "failed", "warnings", "bytes_done")}
        names = ("completion", "status", "retries", "sha256", "size", "bytes_done", "ended_at", "description")
        severity = {SUCCESSFUL: records.INFORMATIONAL, WARNING: records.WARNING}.get(
            new.completion or "", records.ERROR
        )
        with self._database.write() as connection:
            self._change(connection, **changed)
            values = {name: getattr(new, name) for name in names}
            files.change(connection, self.job.sequence, new.place, **values)
            records.write(connection, self.job, self._clock(), text, severity)
            self._tell(connection)

    def _change(self, connection: sa.Connection, **values: Any) -> None:
        jobs.change(connection, self.job, self._owner, **(values or {"lease": self.job.lease}))

    def _tell(self, connection: sa.Connection) -> None:
        """Tell of the files that changed, at most once a second."""
        now = self._clock()
        if now - self._told_at < _TELL_EVERY_MS:
            return
        telling.progressed(connection, self.job, [self._files[place] for place in sorted(self._untold)])
        self._told_at = now
        self._untold.clear()


def close(connection: sa.Connection, job: Job, moved: Sequence[FileRecord], host: str, reason: str) -> None:
    """Tell of a job's end in its log and to the other services."""
    assert job.ended_at is not None
    severity = records.INFORMATIONAL if job.completion == SUCCESSFUL else records.WARNING
    if job.completion == FAILURE:
        severity = records.ERROR
    because = f" {reason}" if reason else ""
    records.write(connection, job, job.ended_at, f"Job {job.token} ended: {job.completion}.{because}", severity)
    telling.ended(connection, job, moved, host, reason)
