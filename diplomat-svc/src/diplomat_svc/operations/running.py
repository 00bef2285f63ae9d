"""Run one job from its listing to its end, and decide which completion status it gets (E30)."""

import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Final, TypeVar

from diplomat_svc.domain import states
from diplomat_svc.domain.names import destination_name, expand_transaction
from diplomat_svc.domain.states import Severity
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.job_reports import Earlier, JobReports
from mft_common.backoff import pause_after
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, NotFound, TransferError, Unsupported
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import CommitRefused
from mft_common.transfer import Bandwidth, Interrupt, Moved, Mover

_PROGRESS_S: Final = 1.0
_CHECKPOINT_S: Final = 0.5
_LONGEST_DELAY_S: Final = 600.0
R = TypeVar("R")


class _EndedEarlyError(Exception):
    """The job is over before all its files are moved."""

    def __init__(self, completion: str, reason: str) -> None:
        super().__init__(reason)
        self.completion = completion
        self.reason = reason


class Run:
    """One attempt of one job; after `run`, `left` says whether temporary files of it may be left."""

    def __init__(self, reports: JobReports, endpoints: Endpoints, stop: Interrupt) -> None:
        self._owned = reports
        self._endpoints = endpoints
        self._stop = stop
        job = reports.job
        expanded = expand_transaction(job.definition, job.variables)
        self._definition, self._missing = expanded.transaction, expanded.missing
        self._bandwidth = Bandwidth(self._definition.bandwidth)
        self.left = False
        # Of files whose unfinished copies may be at the destination still.
        self._temporaries = list(job.temporaries)
        self._earlier: list[Earlier | None] = []

    def run(self) -> tuple[str | None, str]:
        """Move the job's files; return its completion status and the reason for it.

        The status is None where the job was stopped, or is no longer this worker's.
        """
        try:
            return self._move_files()
        except (Interrupted, CommitRefused):
            return None, ""

    def _move_files(self) -> tuple[str, str]:
        for name in self._missing:
            self._owned.note(f"The variable {name} has no value; its text stays as it is.", Severity.WARNING)
        source: Endpoint | None = None
        target: Endpoint | None = None
        try:
            source = self._open(self._definition.source.url, create=False)
            entries = self._find(source)
            target = self._open(self._definition.destination.url, create=True)
            return self._move_all(source, entries, target)
        except _EndedEarlyError as over:
            return over.completion, over.reason
        except Interrupted:
            raise
        except TransferError as error:
            return states.FAILURE, str(error)
        finally:
            for opened in (source, target):
                if opened is not None:
                    opened.close()

    def _open(self, url: str, *, create: bool) -> Endpoint:
        transfer_id = self._owned.job.transfer_id
        return self._with_retries(lambda: self._endpoints.open(url, transfer_id, create=create))

    def _find(self, source: Endpoint) -> list[Entry]:
        """List the source; end the job here when no file matches, or a required one is missing (E26)."""
        spec, skipped = self._definition.source, list[tuple[str, str]]()

        def listed() -> list[Entry]:
            skipped.clear()
            if not source.features.listing:
                return _named(source, spec.files)
            return list(source.list(Patterns(spec.files), skipped=lambda name, why: skipped.append((name, why))))

        young = self._owned.job.began_at - int(spec.min_age * 1000)
        entries = self._with_retries(listed)
        if spec.min_age:
            # A file whose time is unknown may be at work still: it is left alone.
            entries = [one for one in entries if one.modified_at is not None and one.modified_at <= young]
        for _, why in skipped:
            self._owned.note(f"Skipped: {why}.", Severity.WARNING)
        first = self._owned.job.attempt == 1
        self._earlier = [None if first else self._owned.earlier(entry.name) for entry in entries]
        self._owned.found(len(entries), sum(entry.size or 0 for entry in entries))
        strict = self._definition.fail_if_not_found
        if self._owned.job.delivered:
            # An earlier attempt had all that is required, and has delivered a part of it.
            return entries
        if not entries:
            raise _EndedEarlyError(states.FAILURE if strict else states.NOT_FOUND, "No file was found.")
        for text in spec.required:
            pattern = Patterns([text])
            if not any(pattern.match(entry.name) for entry in entries):
                completion = states.FAILURE if strict else states.REQUIRED_NOT_FOUND
                raise _EndedEarlyError(completion, f"The required file {text} was not found; nothing was moved.")
        template = self._definition.destination.files
        if template is not None and "*" not in template and len(entries) > 1:
            raise _EndedEarlyError(states.FAILURE, f"{len(entries)} files would have one name at the destination.")
        return entries

    def _move_all(self, source: Endpoint, entries: list[Entry], target: Endpoint) -> tuple[str, str]:
        arrived: list[tuple[int, Moved | Entry]] = []
        places = itertools.count(self._owned.job.next_place)
        try:
            for entry, earlier in zip(entries, self._earlier, strict=True):
                place = next(places) if earlier is None else earlier.place
                if _is_delivered(entry, earlier):
                    arrived.append((place, entry))
                    continue
                moved = self._move(place, entry, source, target, earlier)
                if moved is not None:
                    arrived.append((place, moved))
            if self._definition.delete_source:
                self._delete(source, arrived)
        except BaseException:
            self._sweep(target)
            raise
        completion = states.completion_of_files(self._owned.completions())
        if completion != states.FAILURE or self._owned.job.last:
            # Else the next attempt goes on with what is there.
            self._sweep(target)
        return completion, ""

    def _move(
        self, place: int, entry: Entry, source: Endpoint, target: Endpoint, earlier: Earlier | None
    ) -> Moved | None:
        """Move one file; its failure does not stop the others (E25), a stop request does."""
        owned, definition = self._owned, self._definition
        name = destination_name(definition.destination.files, entry.name)
        if self._stop.is_set():
            raise Interrupted(f"{name}: stopped before it began")
        report = FileReport(owned, place, entry, name)
        mover = Mover(
            token=owned.job.token,
            if_exists=definition.destination.if_exists,
            verify=definition.verify,
            bandwidth=self._bandwidth,
            interrupt=self._stop,
            begins=report.begins,
            progress=report.progress,
            progress_every=_PROGRESS_S,
            retrying=report.retrying,
            guard=report.check,
            checkpointed=report.checkpoint,
            checkpoint_every=_CHECKPOINT_S,
            keep=not owned.job.last,
            retries=definition.retries.file,
            delay=definition.retries.file_delay,
        )
        try:
            resume = json.loads(earlier.checkpoint) if earlier is not None and earlier.checkpoint else None
            moved = mover.move(source, entry, target, name, resume)
        except (Interrupted, CommitRefused):
            self._temporaries += report.temporaries
            raise
        except TransferError as error:
            report.ensure()
            if error.leftover:
                self._temporaries += report.temporaries
            left = " A partial upload could not be removed." if error.leftover else ""
            owned.end_file(
                place, states.FAILURE, f"Failed: {error}.{left}", retries=error.tries - 1, leftover=error.leftover
            )
            return None
        report.ensure()
        size, sha256 = moved.delivered.size, moved.delivered.sha256
        text = f"Delivered {entry.name} as {name}: {size} bytes, SHA-256 {sha256}, retries {moved.retries}."
        if moved.resumed:
            text += f" {moved.resumed} of the bytes were there from an earlier try."
        version = moved.entry.version if moved.durable else ""
        owned.end_file(place, states.SUCCESSFUL, text, retries=moved.retries, sha256=sha256, size=size, version=version)
        if moved.warning:
            owned.warn_file(place, f"After the delivery: {moved.warning}.")
        return moved

    def _delete(self, source: Endpoint, arrived: list[tuple[int, Moved | Entry]]) -> None:
        """Delete the sources of files whose delivery is recorded (E24), also of those of an earlier attempt."""
        for place, moved in arrived:
            self._owned.check()
            if isinstance(moved, Moved) and not moved.durable:
                self._owned.warn_file(place, "The source was not deleted: the delivered file may not survive a crash.")
                continue
            try:
                source.delete(moved.entry if isinstance(moved, Moved) else moved)
            except TransferError as error:
                self._owned.warn_file(place, f"The source was not deleted: {error}.")

    def _sweep(self, target: Endpoint) -> None:
        """Remove partial uploads that could not be aborted; an error here changes nothing of how the files ended."""
        try:
            target.sweep(self._owned.job.token, tuple(self._temporaries))
        except TransferError as error:
            self.left = True
            self._owned.note(f"Removing partial uploads failed: {error}. It is tried again later.", Severity.WARNING)

    def _with_retries(self, call: Callable[[], R]) -> R:
        """Repeat a call that failed with an error that may heal, as often as a file is tried."""
        tries = 1
        while True:
            try:
                return call()
            except TransferError as error:
                if not error.heals or tries > self._definition.retries.file:
                    raise
                self._owned.note(f"Trying again after: {error}.", Severity.WARNING)
            if self._stop.wait(pause_after(tries, self._definition.retries.file_delay, _LONGEST_DELAY_S)):
                raise Interrupted("stopped while waiting for another try")
            tries += 1


def _is_delivered(entry: Entry, earlier: Earlier | None) -> bool:
    """Return whether an earlier attempt has delivered exactly this content."""
    if earlier is None or earlier.completion != states.SUCCESSFUL:
        return False
    return bool(entry.version) and earlier.version == entry.version


def _named(source: Endpoint, names: tuple[str, ...]) -> list[Entry]:
    """Return the files of these names at an endpoint that cannot list; a missing one is no error, a pattern is."""
    found = []
    for name in names:
        if "*" in name or "?" in name:
            raise Unsupported(f"{name}: this endpoint lists no files, so each has to be named")
        with contextlib.suppress(NotFound):
            found.append(source.stat(name))
    return found
