"""Report one file of a job: its record is written once, before the first thing that it has to be there for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from diplomat_svc.domain.jobs import MemberRecord
from diplomat_svc.domain.states import FAILURE, INCOMPLETE, SUCCESSFUL, WARNING
from diplomat_svc.operations.file_messages import FileEnd
from diplomat_svc.operations.job_reports import JobReports
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import OutcomeUnknown, TransferError
from mft_common.transfer import Digest, Moved
from mft_common.transfer.sources import ZippedMember


class FileReport:
    """The reports of a file that is being moved to `destination`.

    The record and the name of the unfinished copy are written together, because each write is a commit. `temporaries`
    are the names so far.
    """

    def __init__(self, reports: JobReports, place: int, entry: Entry, destination: str) -> None:
        self.temporaries: list[str] = []
        self.destination = destination
        self._reports = reports
        self._place = place
        self._entry = entry
        self._begun = False

    def ensure(self, temporary: str = "") -> None:
        """Write the file's record unless that was done."""
        if not self._begun:
            entry = self._entry
            self._reports.begin_file(
                self._place, entry.name, self.destination, entry.size or 0, temporary, modified_at=entry.modified_at
            )
            self._begun = True

    def rename(self, destination: str) -> None:
        """Give the file another name at its destination, which its record has from the next report on."""
        if destination != self.destination:
            self.destination = destination
            self._begun = False

    def begins(self, temporary: str) -> None:
        """Write the name of an unfinished copy before it is made, or as soon as the far side has named it."""
        if temporary in self.temporaries:
            # Nothing new to write, but the worker has to be there still.
            self._reports.check()
            return
        written = self._begun
        self.ensure(temporary)
        if written and temporary:
            self._reports.temporary(self._place, temporary)
        if temporary:
            self.temporaries.append(temporary)

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Write how far the file is, where another attempt may go on from there."""
        if not self._reports.job.last:
            self.ensure()
            self._reports.checkpoint(self._place, checkpoint)

    def check(self) -> None:
        """Raise CommitRefused where the file may not become visible; its record is written before."""
        self.ensure()
        self._reports.check()

    def progress(self, count: int) -> None:
        """Report how many bytes are moved, but for the last: the end of the file is written right after it."""
        if self._entry.size is None or count < self._entry.size:
            self.ensure()
            self._reports.progress(self._place, count)

    def retrying(self, number: int) -> None:
        """Report that the file is tried again."""
        self.ensure()
        self._reports.retrying(self._place, number)

    def failed(self, error: TransferError, *, unpacked: bool = False) -> None:
        """Report that the file was not delivered, or may be; names of what may be left or gone on with stay known.

        Of one that is `unpacked`, members may be delivered, and the error tells of these.
        """
        self.ensure()
        unknown = isinstance(error, OutcomeUnknown)
        kept = error.leftover or unknown or not self._reports.job.last
        left = " A partial upload could not be removed." if error.leftover else ""
        # The errors of some endpoints begin with the name.
        name = f"{self._entry.name}: "
        reason = f"{name}{str(error).removeprefix(name)}"
        text = f"Failed: {reason}."
        if unknown:
            text = f"Unknown: {reason}{'' if unpacked else f'; it may be there as {self.destination}, and then whole'}."
        end = FileEnd(
            place=self._place, completion=INCOMPLETE if unknown else FAILURE, text=f"{text}{left}",
            retries=error.tries - 1, version=self._entry.version if unknown else "",
            finished="" if kept else self._last,
        )  # fmt: skip
        self._reports.end_files(end)

    def delivered(self, moved: Moved, *, copies: bool, done: str = "", warnings: Sequence[str] = ()) -> None:
        """Report that the file is at its destination, from where on no other attempt delivers it again.

        `done` is what was done with it on its way; with `copies` those are still to be written. With `warnings` it is a
        warning from this report on: a crash must not make it a success, whose source the next attempt would delete
        (E24).
        """
        self.ensure()
        made, read = moved.delivered, moved.source
        text = f"Delivered {self._entry.name} as {self.destination}: {made.size} bytes, SHA-256 {made.sha256}"
        if made != read:
            text += f", of {read.size} bytes, SHA-256 {read.sha256}"
        text += f", retries {moved.retries}.{f' {done}' if done else ''}"
        if moved.resumed:
            text += f" {moved.resumed} of the bytes were there from an earlier try."
        end = self._end(text, moved, read, moved.entry.version, copies=copies, warnings=warnings)
        self._reports.end_files(replace(end, delivered_size=made.size, delivered_sha256=made.sha256))

    def packed(
        self, member: ZippedMember, moved: Moved, *, copies: bool, done: str, warnings: Sequence[str]
    ) -> FileEnd:
        """Return the end of a file that is at its destination as a member of the archive that `moved` describes."""
        self.ensure()
        read, made = member.digest, moved.delivered
        text = f"Packed {self._entry.name}, {read.size} bytes, SHA-256 {read.sha256}, and delivered it in "
        text += f"{self.destination}: {made.size} bytes, SHA-256 {made.sha256}, retries {moved.retries}."
        text += f" {done}" if done else ""
        end = self._end(text, moved, read, member.entry.version, copies=copies, warnings=warnings)
        return replace(end, delivered_size=made.size, delivered_sha256=made.sha256)

    def unpacked(
        self, fetched: Moved, members: Sequence[MemberRecord], *, copies: bool, done: str, warnings: Sequence[str]
    ) -> None:
        """Report that all members of the file, an archive, are at the destination."""
        self.ensure()
        read, size = fetched.source, sum(one.size for one in members)
        text = f"Unpacked {self._entry.name}, {read.size} bytes, SHA-256 {read.sha256}, retries {fetched.retries}: "
        text += f"{len(members)} file(s), {size} bytes.{f' {done}' if done else ''}"
        sha256 = members[0].sha256 if len(members) == 1 else None
        end = self._end(text, fetched, read, fetched.entry.version, copies=copies, warnings=warnings)
        self._reports.end_files(replace(end, delivered_size=size, delivered_sha256=sha256))

    def _end(
        self, text: str, moved: Moved, read: Digest, version: str, *, copies: bool, warnings: Sequence[str]
    ) -> FileEnd:
        """Return the end of a file that is delivered, of whose source `version` this was `read`."""
        warning = " ".join(f"After the delivery of {self._entry.name}: {warning}." for warning in warnings)
        text += f" {warning}" if warning else ""
        return FileEnd(
            place=self._place, completion=WARNING if warnings else SUCCESSFUL, text=text, retries=moved.retries,
            sha256=read.sha256, size=read.size, version=version, copies=copies, warning=warning, finished=self._last,
        )  # fmt: skip

    @property
    def _last(self) -> str:
        """The name of the last unfinished copy: those of earlier tries may be left."""
        return self.temporaries[-1] if self.temporaries else ""

    def read_whole(self) -> None:
        """Report that all bytes of the file were read."""
        self.ensure()
        self._reports.progress(self._place, self._entry.size or 0)
