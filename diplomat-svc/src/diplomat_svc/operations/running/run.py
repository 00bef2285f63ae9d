"""Run one attempt of a job from its listing to its end, and decide which completion status it gets (E30)."""

import functools
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from diplomat_svc.domain import states
from diplomat_svc.domain.names import expand_transaction
from diplomat_svc.domain.states import Severity
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.running import finding
from diplomat_svc.operations.running.archiving import ArchiveWriter
from diplomat_svc.operations.running.audit_records import AuditRecords
from diplomat_svc.operations.running.earlier_files import EarlierFiles
from diplomat_svc.operations.running.errors import EndedEarlyError
from diplomat_svc.operations.running.moves import Moves
from diplomat_svc.operations.running.packing import deliver_packed
from diplomat_svc.operations.running.protection import Protection
from diplomat_svc.operations.running.single import deliver_each
from diplomat_svc.operations.running.unpacking import deliver_unpacked
from diplomat_svc.operations.running.work import Arrived, Deliver, Found, Work
from mft_common.backoff import pause_after
from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import CommitRefused
from mft_common.transfer import Interrupt
from mft_common.transfer.steps.openpgp import Key

_LONGEST_DELAY_S: Final = 600.0
R = TypeVar("R")


class Run:
    """One attempt of one job with the `keys` that it needs; `private` is a folder for files of its own.

    After `run`, `left` says whether temporary files of it may be left, or sources that it moved aside.
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
        self._audit = AuditRecords(reports, job.definition)
        self._moves = Moves(reports, self._definition, stop)
        self._private = private
        # What earlier attempts have left for this one, until a sweep has removed it.
        self.left = job.attempt > 1
        # Whether the deletion of a source was begun and not ended.
        self._cut_off = False

    def run(self) -> tuple[str | None, str]:
        """Move the job's files; return its completion status and the reason for it.

        The status is None where the job was stopped, or is no longer this worker's.
        """
        try:
            return self._audit.write_last(*self._move_files())
        except (Interrupted, CommitRefused):
            return None, ""

    def _move_files(self) -> tuple[str, str]:
        for name in self._missing:
            self._owned.note(f"The variable {name} has no value; its text stays as it is.", Severity.WARNING)
        source: Endpoint | None = None
        target: Endpoint | None = None
        try:
            # What is encrypted or packed is no text for a server to convert.
            compress, protection = self._definition.compress, self._protection
            text = self._text and not (protection.decrypts or compress.unzip)
            source = self._open(self._definition.source.url, create=False, text=text)
            self._end_deletions()
            found = self._find(source)
            protection.open()
            text = self._text and not (protection.encrypts or compress.zip is not None)
            target = self._open(self._definition.destination.url, create=True, text=text)
            return self._move_all(source, found, target)
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

    def _end_deletions(self) -> None:
        """End the deletions of an earlier attempt that were cut off: a file that it moved aside is listed again."""
        job = self._owned.job
        if self._definition.delete_source and job.attempt > 1:
            self._with_retries(lambda: self._endpoints.end_deletions(self._definition.source.url, job.token))

    def _find(self, source: Endpoint) -> list[Found]:
        """List the source; end the job here when no file matches, or a required one is missing (E26)."""
        entries, skipped = self._with_retries(lambda: finding.listed(source, self._definition, self._owned))
        first = self._owned.job.attempt == 1
        earlier = [None if first else self._owned.earlier(entry.name, entry.version) for entry in entries]
        finding.report_found(entries, skipped, self._owned)
        # An earlier attempt that has delivered a part of its files had all that is required.
        if not self._owned.job.delivered:
            finding.check_complete(entries, self._definition, lost=self._owned.lost > 0)
        places, files = itertools.count(self._owned.job.next_place), EarlierFiles(source, self._stop)
        found = []
        for entry, before in zip(entries, earlier, strict=True):
            delivered = self._with_retries(functools.partial(files.delivered, entry, before))
            place = next(places) if before is None else before.place
            found.append(Found(place, delivered or entry, before, is_delivered=delivered is not None))
        return self._without_others(found)

    def _without_others(self, found: list[Found]) -> list[Found]:
        """Leave out files that would replace one of an earlier attempt; the next job delivers them (E26)."""
        if not finding.has_one_name(self._definition) or not (self._owned.job.delivered or self._owned.unknown):
            return found
        for one in found:
            if not one.may_be_delivered:
                text = f"{one.entry.name} was left where it is: the file of an earlier attempt has its name"
                self._owned.note(f"{text} at the destination.", Severity.WARNING)
        return [one for one in found if one.may_be_delivered]

    def _move_all(self, source: Endpoint, found: list[Found], target: Endpoint) -> tuple[str, str]:
        ends = None
        if self._text:
            ends = self._endpoints.find(self._definition.destination.url).line_ends
        archives = ArchiveWriter(self._owned, self._definition, self._moves, lambda url: self._open(url, create=True))
        work = Work(self._owned, self._definition, self._moves, self._protection, self._private, ends, archives)
        try:
            return self._deliver(work, source, found, target)
        finally:
            archives.close()

    def _deliver(self, work: Work, source: Endpoint, found: list[Found], target: Endpoint) -> tuple[str, str]:
        compress = self._definition.compress
        one_by_one: Deliver = deliver_unpacked if compress.unzip else deliver_each
        deliver: Deliver = one_by_one if compress.zip is None else deliver_packed
        try:
            arrived = deliver(work, source, found, target)
            if self._definition.delete_source and arrived:
                self._require_audit()
                self._delete(source, arrived)
        except BaseException:
            self._sweep([target, *work.archives.endpoints])
            raise
        completion = states.completion_of_files(self._owned.completions())
        if completion != states.FAILURE or self._owned.job.last:
            self._sweep([target, *work.archives.endpoints])
        else:
            # The next attempt goes on with what is there; where a stop keeps it from coming, it is removed later.
            self.left = True
        return completion, self._owned.reason()

    def _require_audit(self) -> None:
        """Write the audit records before sources are deleted; end the job where they are critical and failed."""
        completion = states.completion_of_files(self._owned.completions())
        end, reason = self._audit.write(completion)
        if end != completion:
            raise EndedEarlyError(end, reason)

    def _delete(self, source: Endpoint, arrived: list[Arrived]) -> None:
        """Delete the sources of files that are Successful (E24), also of those of an earlier attempt."""
        for one in arrived:
            if not self._owned.is_successful(one.place):
                text = f"{one.entry.name}: the source was not deleted, because of the warning."
                self._owned.note(text, Severity.WARNING)
                continue
            self._owned.check()
            try:
                source.delete(one.entry, token=self._owned.job.token)
            except TransferError as error:
                self._cut_off = self._cut_off or error.leftover
                self._owned.warn_file(one.place, f"The source was not deleted: {error}.")

    def _sweep(self, written: list[Endpoint]) -> None:
        """Remove partial uploads that could not be aborted; an error here changes nothing of how the files ended."""
        # An archive of an earlier attempt that this one has not opened is swept later.
        archives = {archive.url for archive in self._definition.archive.named.values()}
        # With a file of which that is not known, the sweep looks whether it was delivered.
        self.left = (
            self._cut_off or self._owned.unknown or (self._owned.job.attempt > 1 and len(written) <= len(archives))
        )
        temporaries = self._owned.temporaries()
        for endpoint in written:
            try:
                endpoint.sweep(self._owned.job.token, temporaries)
            except TransferError as error:
                self.left = True
                text = f"Removing partial uploads failed: {error}. It is tried again later."
                self._owned.note(text, Severity.WARNING)

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
