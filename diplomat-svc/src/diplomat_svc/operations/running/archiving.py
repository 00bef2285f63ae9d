"""Copy files into the archives of a transaction (E36)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diplomat_svc.domain.jobs import token_of
from diplomat_svc.domain.names import archive_path
from diplomat_svc.domain.transactions import Content, Transaction
from diplomat_svc.operations.file_messages import ArchivedCopy
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.running.moves import Moves
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.transfer import Digest
from mft_common.transfer.steps import MakeSteps
from mft_common.transfer.steps.keep import Expect


@dataclass(frozen=True)
class Copy:
    """A file to be copied: where it is read, its path in an archive without the sequence, and what it must be.

    `steps` make it of what is read, None where that is the file itself.
    """

    source: Endpoint
    entry: Entry
    path: str
    digest: Digest
    steps: MakeSteps | None = None


class ArchiveWriter:
    """Writes the copies of one job; an archive is opened with its first copy, by `open_archive` of its URL.

    A copy has the job's sequence in its name, and replaces nothing. One that an earlier attempt has made without
    writing it down is found by this name and its content.
    """

    def __init__(
        self, reports: JobReports, definition: Transaction, moves: Moves, open_archive: Callable[[str], Endpoint]
    ) -> None:
        self._reports = reports
        self._archives = definition.archive
        self._moves = moves
        self._open = open_archive
        self._opened: dict[str, Endpoint | TransferError] = {}

    @property
    def endpoints(self) -> list[Endpoint]:
        """The archives that were opened."""
        return [one for one in self._opened.values() if not isinstance(one, TransferError)]

    def __bool__(self) -> bool:
        """Return whether there is an archive."""
        return bool(self._archives.named)

    def wants(self, content: Content) -> bool:
        """Return whether an archive keeps this content."""
        return self._archives.wants(content)

    def missing(self, content: Content, done: Collection[str] = ()) -> list[str]:
        """Return the archives that keep this content and are not among those that are `done`."""
        named = self._archives.named.items()
        return [which for which, archive in named if archive.content == content and which not in done]

    def store(
        self, content: Content, copy: Copy, places: Sequence[int], *, done: Collection[str] = (),
        member: int | None = None,
    ) -> list[str]:  # fmt: skip
        """Copy a file to each archive that keeps this content and is not `done`; return what failed (74).

        `places` are those of the files whose records tell of it; `member` is the number of the copied member of one.
        """
        problems = []
        for which in self.missing(content, done):
            try:
                archive = self._endpoint(self._archives.named[which].url)
                self._store(which, archive, copy, places, member)
            except Interrupted:
                raise
            except TransferError as error:
                problems.append(f"the {which} archive was not written: {error}")
        return problems

    def close(self) -> None:
        """Close the archives."""
        for endpoint in self.endpoints:
            endpoint.close()

    def _endpoint(self, url: str) -> Endpoint:
        """Return an open archive; one that could not be opened is not tried again for each file."""
        if url not in self._opened:
            try:
                self._opened[url] = self._open(url)
            except Interrupted:
                raise
            except TransferError as error:
                self._opened[url] = error
        found = self._opened[url]
        if isinstance(found, TransferError):
            raise found
        return found

    def _store(self, which: str, archive: Endpoint, copy: Copy, places: Sequence[int], member: int | None) -> None:
        report = CopyReport(self._reports, places[0], archive_path(copy.path, token_of(self._reports.job.sequence)))
        is_made = self._is_made(archive, report.destination, copy.digest)
        made = copy.digest if is_made else self._make(report, archive, copy)
        name = report.destination
        text = f"Archived {copy.path} as {name} in the {which} archive: {made.size} bytes, SHA-256 {made.sha256}."
        copied = ArchivedCopy(
            places=places, which=which, name=name, text=text, finished=report.temporary, member=member
        )
        self._reports.archived(copied)

    def _is_made(self, archive: Endpoint, name: str, digest: Digest) -> bool:
        """Return whether an earlier attempt has made a copy, and was killed before it wrote so down."""
        return self._reports.job.attempt > 1 and self._moves.holds(archive, name, digest)

    def _make(self, report: "CopyReport", archive: Endpoint, copy: Copy) -> Digest:
        folder = report.destination.rpartition("/")[0]
        if folder and archive.features.folders:
            archive.make_folder(folder)
        steps: MakeSteps = [*(copy.steps or ()), lambda: Expect(copy.digest)]
        moved = self._moves.deliver(report, copy.source, copy.entry, archive, if_exists="number", steps=steps)
        if moved.warning or not moved.durable:
            raise TransferError(moved.warning or "the copy may not survive a crash")
        return moved.delivered


class CopyReport:
    """The reports of a copy: the record of its file has the names of its unfinished ones, and is else left alone."""

    def __init__(self, reports: JobReports, place: int, destination: str) -> None:
        self.destination = destination
        self.temporary = ""
        self._reports = reports
        self._place = place

    def rename(self, destination: str) -> None:
        """Give the copy another name."""
        self.destination = destination

    def begins(self, temporary: str) -> None:
        """Write the name of an unfinished copy before it is made."""
        if temporary and temporary != self.temporary:
            self._reports.temporary(self._place, temporary)
            self.temporary = temporary

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Do nothing: a copy begins anew."""

    def check(self) -> None:
        """Raise CommitRefused where the copy may not become visible."""
        self._reports.check()

    def progress(self, count: int) -> None:
        """Do nothing: the bytes of the delivery are counted."""

    def retrying(self, number: int) -> None:
        """Do nothing: the tries of the delivery are counted."""
