"""Hold what all deliveries of one job use, and tell which files have arrived."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from diplomat_svc.domain.states import DELIVERED, INCOMPLETE, Severity
from diplomat_svc.domain.transactions import Transaction
from diplomat_svc.operations.file_messages import Earlier
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.running.archiving import ArchiveWriter
from diplomat_svc.operations.running.moves import Moves
from diplomat_svc.operations.running.protection import Protection
from diplomat_svc.operations.running.text_mode import TextMode
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.transfer.steps.keep import Kept
from mft_common.transfer.steps.text import TargetEnds


@dataclass(frozen=True)
class Work:
    """The parts that every delivery of one job uses; `line_ends` are those that text gets, None for binary files."""

    reports: JobReports
    definition: Transaction
    moves: Moves
    protection: Protection
    private: Path
    line_ends: TargetEnds | None
    archives: ArchiveWriter

    def text(self, name: str) -> TextMode | None:
        """Return what converts the line ends of one file, None for binary files."""
        return None if self.line_ends is None else TextMode(name, self.line_ends, self.definition.retries.file)

    def kept(self) -> Kept | None:
        """Return what keeps one file as it is delivered, None where no archive wants it."""
        return Kept(self.private) if self.archives.wants("delivered") else None

    def copied(self, place: int, name: str, problems: Sequence[str]) -> None:
        """Report that copies of a delivered file were tried; `problems` are a warning, which keeps its source (E24).

        Another attempt tries the copies that are missing.
        """
        for problem in problems:
            self.reports.warn_file(place, f"After the delivery of {name}: {problem}.")
        if self.archives and not problems:
            self.reports.copied(place)

    def leave(self, found: "Found") -> None:
        """Report that a file is not delivered, because an earlier attempt may have done so."""
        text = f"{found.entry.name} was left where it is: an earlier attempt may have delivered it."
        self.reports.note(text, Severity.WARNING)

    def tell_of_lost_copies(self, found: "Found") -> None:
        """Add to the log that the archives lack what an earlier attempt has delivered of a file that is another now."""
        if found.lost_copies:
            self.reports.note(found.lost_copies, Severity.WARNING)

    def arrived(self, found: Sequence["Found"]) -> "list[Arrived]":
        """Return those of delivered files of an earlier attempt whose sources may go; a warning keeps them (E24)."""
        return [Arrived(one.place, one.entry) for one in found if self.reports.is_successful(one.place)]


@dataclass(frozen=True)
class Found:
    """A file of the source: its place, and what an earlier attempt of the job did with it.

    `is_delivered` says that the earlier one has delivered exactly this content.
    """

    place: int
    entry: Entry
    earlier: Earlier | None
    is_delivered: bool

    @property
    def is_unknown(self) -> bool:
        """Whether an earlier attempt may have delivered exactly this content: no other one delivers it."""
        if self.earlier is None or self.earlier.completion != INCOMPLETE:
            return False
        return self.earlier.version == self.entry.version

    @property
    def may_be_delivered(self) -> bool:
        """Whether an earlier attempt has or may have delivered the file, in this version or another."""
        return self.earlier is not None and self.earlier.completion in (*DELIVERED, INCOMPLETE)

    @property
    def copies_done(self) -> tuple[str, ...] | None:
        """The archives that have a copy of a delivered file which still lacks others; None where it lacks none."""
        if not self.is_delivered or self.earlier is None or self.earlier.copies_pending is None:
            return None
        return self.earlier.archived

    @property
    def lost_copies(self) -> str:
        """The warning about a file that has changed since its delivery, with copies missing; "" for any other."""
        if self.is_delivered or self.earlier is None or self.earlier.copies_pending is None:
            return ""
        return (
            f"{self.entry.name} has changed since an earlier attempt delivered it; not all copies of that are archived."
        )

    def delivered_as(self, name: str) -> str:
        """Return the name at the destination, which was `name` unless that was taken."""
        stored = name if self.earlier is None else self.earlier.destination
        # Bytes of a name that are no UTF-8 are not stored.
        return name if "\ufffd" in stored else stored


@dataclass(frozen=True)
class Arrived:
    """A file that is at its destination, by the version that was read."""

    place: int
    entry: Entry


class Deliver(Protocol):
    """One way to deliver the files of a job, in the order of their finding: one by one, packed, or unpacked."""

    def __call__(self, work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint, /) -> list[Arrived]:
        """Deliver the files and return those that arrived; a failed one stops no other (E25), a stop request does."""
        ...
