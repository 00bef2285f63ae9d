"""Deliver the members of one checked archive, each once over all attempts of the job (E35)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from diplomat_svc.domain.jobs import MemberRecord
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.running.archiving import Copy
from diplomat_svc.operations.running.file_steps import FileSteps
from diplomat_svc.operations.running.work import Work
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, OutcomeUnknown, TransferError
from mft_common.transfer import Digest
from mft_common.transfer.sources import KeptSource, MembersSource
from mft_common.transfer.steps.unzip import Archive, BadArchive


class Members:
    """The members of the archive at `place`, which is `name` at the source and has the content `sha256`.

    `delivered` are those that are at the destination, `problems` what is wrong with their copies.
    """

    def __init__(self, work: Work, place: int, name: str, sha256: str, archive: Archive) -> None:
        self.source = MembersSource(archive)
        self.delivered: list[MemberRecord] = []
        self.problems: list[str] = []
        self._work = work
        self._place = place
        self._name = name
        self._sha256 = sha256

    @property
    def warnings(self) -> list[str]:
        """The warnings about the integrity of the delivered members."""
        return [f"{one.name}: {warning}" for one in self.delivered for warning in one.warnings]

    def deliver(self, report: FileReport, names: Mapping[str, str], target: Endpoint) -> None:
        """Deliver the members under their names, but for those that an earlier attempt has delivered.

        BadArchive where a member did not arrive, OutcomeUnknown where that is not known of one: the others have been
        tried then (E25).
        """
        failed, unknown, leftover = list[str](), list[str](), False
        for number, entry in enumerate(self.source.entries):
            before = self._work.reports.member(self._place, number, self._sha256)
            if before is not None:
                self.delivered.append(before)
                self._copy_again(entry, before)
                continue
            try:
                self._deliver(_MemberReport(report, names[entry.path]), number, entry, target)
            except Interrupted:
                raise
            except TransferError as error:
                name, leftover = f"{entry.path}: ", leftover or error.leftover
                text = f"{name}{str(error).removeprefix(name)}"
                (unknown if isinstance(error, OutcomeUnknown) else failed).append(text)
        if failed or unknown:
            raise _failure(len(names), failed, unknown, leftover=leftover)

    def copy_again(self) -> None:
        """Write the copies that the members lack, all of which an earlier attempt has delivered."""
        for number, entry in enumerate(self.source.entries):
            before = self._work.reports.member(self._place, number, self._sha256)
            if before is None:
                self.problems.append(f"{entry.path} is not known to be delivered, and was not copied")
            else:
                self._copy_again(entry, before)

    def _deliver(self, report: "_MemberReport", number: int, entry: Entry, target: Endpoint) -> None:
        """Deliver one member and write its copies."""
        work, kept = self._work, self._work.kept()
        steps = FileSteps(None, work.text(entry.path), kept)
        try:
            _make_folder(target, report.destination)
            moved = work.moves.deliver(report, self.source, entry, target, steps=steps.make)
            made, name = moved.delivered, report.destination
            member = MemberRecord(
                number=number, archive_sha256=self._sha256, name=entry.path, destination=name, size=made.size,
                sha256=made.sha256, warnings=(*steps.warnings, *moved.warnings),
            )  # fmt: skip
            text = f"Delivered {entry.path} of {self._name} as {name}: {made.size} bytes, "
            text += f"SHA-256 {made.sha256}, retries {moved.retries}."
            work.reports.delivered_member(self._place, member, text, report.temporary)
            self.delivered.append(member)
            copy = Copy(self.source, entry, name, made)
            if kept is not None and kept.file is not None:
                again = KeptSource(kept.file, name, made.size)
                copy = Copy(again, again.entries[0], name, made)
            self._copy(number, copy)
        finally:
            if kept is not None:
                kept.close()

    def _copy_again(self, entry: Entry, before: MemberRecord) -> None:
        made, steps = Digest(before.size, before.sha256), FileSteps(None, self._work.text(entry.path))
        self._copy(before.number, Copy(self.source, entry, before.destination, made, steps.make), before.archived)

    def _copy(self, number: int, copy: Copy, done: Collection[str] = ()) -> None:
        problems = self._work.archives.store("delivered", copy, (self._place,), done=done, member=number)
        self.problems += [f"{copy.path}: {problem}" for problem in problems]


def _failure(count: int, failed: Sequence[str], unknown: Sequence[str], *, leftover: bool) -> TransferError:
    """Return the error of an archive of `count` members, by the texts of those that did not or may not have arrived.

    With one that may have arrived the outcome of all is unknown, so that no attempt delivers that member again.
    """
    texts = [f"{len(failed)} of {count} members did not arrive, the first of them {failed[0]}"] if failed else []
    if unknown:
        texts = [
            f"it is not known whether {len(unknown)} of {count} members arrived, the first of them {unknown[0]}",
            *texts,
        ]
    error = (OutcomeUnknown if unknown else BadArchive)("; ".join(texts))
    error.leftover = leftover
    return error


def _make_folder(target: Endpoint, path: str) -> None:
    folder = path.rpartition("/")[0]
    if folder and target.features.folders:
        target.make_folder(folder)


class _MemberReport:
    """The reports of a member; its archive's record has the names of its unfinished copies."""

    def __init__(self, archive: FileReport, destination: str) -> None:
        self.destination = destination
        self.temporary = ""
        self._archive = archive

    def rename(self, destination: str) -> None:
        """Give the member another name."""
        self.destination = destination

    def begins(self, temporary: str) -> None:
        """Write the name of an unfinished copy into the record of the archive."""
        self._archive.begins(temporary)
        self.temporary = temporary or self.temporary

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Do nothing: another attempt fetches the archive anew."""

    def check(self) -> None:
        """Raise CommitRefused where the member may not become visible."""
        self._archive.check()

    def progress(self, count: int) -> None:
        """Do nothing: the bytes of the archive are counted."""

    def retrying(self, number: int) -> None:
        """Do nothing: the tries of the archive are counted."""
