"""Run one attempt of a job from its listing to its end, and decide which completion status it gets (E30)."""

import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from diplomat_svc.domain import states
from diplomat_svc.domain.names import destination_name, expand_transaction
from diplomat_svc.domain.states import Severity
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.job_reports import Earlier, JobReports
from diplomat_svc.operations.running import finding
from diplomat_svc.operations.running.errors import EndedEarlyError
from diplomat_svc.operations.running.file_steps import FileSteps
from diplomat_svc.operations.running.moves import Moves
from diplomat_svc.operations.running.protection import Protection
from diplomat_svc.operations.running.text_mode import TextMode
from mft_common.backoff import pause_after
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import CommitRefused
from mft_common.transfer import Interrupt, Moved
from mft_common.transfer.steps.openpgp import Key

_LONGEST_DELAY_S: Final = 600.0
R = TypeVar("R")


class Run:
    """One attempt of one job with the `keys` that it needs; `private` is a folder for files of its own.

    After `run`, `left` says whether temporary files of it may be left.
    """

    def __init__(
        self, reports: JobReports, endpoints: Endpoints, stop: Interrupt, *, keys: Iterable[Key] = (), private: Path
    ) -> None:
        self._owned = reports
        self._endpoints = endpoints
        self._stop = stop
        job = reports.job
        expanded = expand_transaction(job.definition, job.variables)
        self._definition, self._missing = expanded.transaction, expanded.missing
        self._text = self._definition.mode == "ascii"
        self._protection = Protection(self._definition.openpgp, keys, private)
        self._moves = Moves(reports, self._definition, stop)
        # What earlier attempts have left for this one, until a sweep has removed it.
        self.left = job.attempt > 1
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
            # What is encrypted is no text for a server to convert.
            source = self._open(
                self._definition.source.url, create=False, text=self._text and not self._protection.decrypts
            )
            entries = self._find(source)
            self._protection.open()
            target = self._open(
                self._definition.destination.url, create=True, text=self._text and not self._protection.encrypts
            )
            return self._move_all(source, entries, target)
        except EndedEarlyError as over:
            return over.completion, over.reason
        except Interrupted:
            raise
        except TransferError as error:
            return states.FAILURE, str(error)
        finally:
            for opened in (source, target):
                if opened is not None:
                    opened.close()
            self._protection.close()

    def _open(self, url: str, *, create: bool, text: bool = False) -> Endpoint:
        transfer_id = self._owned.job.transfer_id
        return self._with_retries(lambda: self._endpoints.open(url, transfer_id, create=create, text=text))

    def _find(self, source: Endpoint) -> list[Entry]:
        """List the source; end the job here when no file matches, or a required one is missing (E26)."""
        entries, skipped = self._with_retries(lambda: finding.listed(source, self._definition, self._owned))
        first = self._owned.job.attempt == 1
        self._earlier = [None if first else self._owned.earlier(entry.name) for entry in entries]
        finding.report_found(entries, skipped, self._owned)
        # An earlier attempt that has delivered a part of its files had all that is required.
        if not self._owned.job.delivered:
            finding.check_complete(entries, self._definition, lost=self._owned.lost > 0)
        return entries

    def _move_all(self, source: Endpoint, entries: list[Entry], target: Endpoint) -> tuple[str, str]:
        arrived: list[tuple[int, Moved | Entry]] = []
        places = itertools.count(self._owned.job.next_place)
        try:
            for entry, earlier in zip(entries, self._earlier, strict=True):
                place = next(places) if earlier is None else earlier.place
                if earlier is not None and _is_delivered(entry, earlier):
                    # A warning of an earlier attempt keeps the source too (E24).
                    arrived += [(place, entry)] if earlier.completion == states.SUCCESSFUL else []
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
            self._sweep(target)
        else:
            # The next attempt goes on with what is there; where a stop keeps it from coming, it is removed later.
            self.left = True
        return completion, ""

    def _move(
        self, place: int, entry: Entry, source: Endpoint, target: Endpoint, earlier: Earlier | None
    ) -> Moved | None:
        """Move one file; its failure does not stop the others (E25), a stop request does."""
        owned, definition = self._owned, self._definition
        report = FileReport(owned, place, entry, destination_name(definition.destination.files, entry.name))
        steps = self._steps(report.destination)
        resume = json.loads(earlier.checkpoint) if earlier is not None and earlier.checkpoint else None
        try:
            moved = self._moves.deliver(report, source, entry, target, steps=steps.make, resume=resume)
        except Interrupted:
            raise
        except TransferError as error:
            report.failed(error)
            return None
        version = moved.entry.version if moved.durable else ""
        warnings = [warning for warning in (*steps.warnings, moved.warning) if warning]
        report.delivered(moved, version=version, done=self._protection.done, warnings=warnings)
        return moved

    def _steps(self, name: str) -> FileSteps:
        definition = self._definition
        if not self._text:
            return FileSteps(self._protection, None)
        ends = self._endpoints.find(definition.destination.url).line_ends
        return FileSteps(self._protection, TextMode(name, ends, definition.retries.file))

    def _delete(self, source: Endpoint, arrived: list[tuple[int, Moved | Entry]]) -> None:
        """Delete the sources of files that are Successful (E24), also of those of an earlier attempt."""
        for place, moved in arrived:
            if not self._owned.is_successful(place):
                entry = moved.entry if isinstance(moved, Moved) else moved
                self._owned.note(f"{entry.name}: the source was not deleted, because of the warning.", Severity.WARNING)
                continue
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
            target.sweep(self._owned.job.token, tuple(self._moves.temporaries))
            self.left = False
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


def _is_delivered(entry: Entry, earlier: Earlier) -> bool:
    """Return whether an earlier attempt has delivered exactly this content."""
    return earlier.completion in states.DELIVERED and bool(entry.version) and earlier.version == entry.version
