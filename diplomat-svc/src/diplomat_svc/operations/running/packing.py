"""Deliver all files of a job in one archive (E35)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diplomat_svc.domain.names import destination_name
from diplomat_svc.domain.states import Severity
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.running.archiving import Copy
from diplomat_svc.operations.running.file_steps import FileSteps
from diplomat_svc.operations.running.text_mode import TextMode
from diplomat_svc.operations.running.work import Arrived, Found, Work
from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.transfer import Moved
from mft_common.transfer.sources import KeptSource, ZippedMember, ZipSource
from mft_common.transfer.steps import MakeSteps
from mft_common.transfer.steps.keep import Kept


def deliver_packed(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> list[Arrived]:
    """Deliver one archive of all files (see `Deliver`): all of them arrive, or none.

    Where an earlier attempt has delivered the archive, the files that it did not hold are left to the next job.
    """
    if any(one.is_delivered for one in found):
        for one in found:
            if not one.is_delivered:
                text = f"{one.entry.name} was left where it is: the archive of an earlier attempt is delivered."
                work.reports.note(text, Severity.WARNING)
        return [before for one in found for before in one.before]
    return _deliver(work, source, found, target) if found else []


@dataclass(frozen=True)
class _File:
    """A file that is packed, its reports, and what converts its line ends."""

    found: Found
    report: FileReport
    text: TextMode | None

    @property
    def steps(self) -> MakeSteps | None:
        return FileSteps(None, self.text).make

    def warnings(self, moved: Moved) -> list[str]:
        """Return what may touch the integrity of the file in the archive that was delivered."""
        problem = self.text.problem if self.text is not None else ""
        return [warning for warning in (problem, moved.warning) if warning]


def _deliver(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> list[Arrived]:
    archive = work.definition.compress.zip
    assert archive is not None
    name = destination_name(work.definition.destination.files, archive)
    files = {
        one.entry.path: _File(one, FileReport(work.reports, one.place, one.entry, name), work.text(one.entry.name))
        for one in found
    }
    packed = ZipSource(source, [one.entry for one in found], archive, lambda entry: files[entry.path].steps)
    kept = work.kept()
    group = _GroupReport(packed, {path: file.report for path, file in files.items()})
    try:
        steps = [*(FileSteps(work.protection, None).make or ()), *([] if kept is None else [kept.step])]
        moved = work.moves.deliver(group, packed, packed.entries[0], target, steps=steps or None)
    except Interrupted:
        raise
    except TransferError as error:
        for file in files.values():
            file.report.failed(error)
        return []
    else:
        for member in packed.members:
            version = "" if work.archives or not moved.durable else member.entry.version
            file = files[member.entry.path]
            file.report.packed(
                member.digest, moved, version=version, done=work.protection.done, warnings=file.warnings(moved)
            )
        problems = [] if kept is None else _archive(work, kept, group.destination, moved, found)
        return [
            _arrived(work, source, files[member.entry.path], member, moved, problems=problems)
            for member in packed.members
        ]
    finally:
        if kept is not None:
            kept.close()


def _archive(work: Work, kept: Kept, name: str, moved: Moved, found: Sequence[Found]) -> list[str]:
    """Write the copies of what was delivered, which all records tell of; return what failed."""
    assert kept.file is not None
    again = KeptSource(kept.file, name, moved.delivered.size)
    copy = Copy(again, again.entries[0], name, moved.delivered)
    return work.archives.store("delivered", copy, [one.place for one in found])


def _arrived(
    work: Work, source: Endpoint, file: _File, member: ZippedMember, moved: Moved, *, problems: Sequence[str]
) -> Arrived:
    """Finish one of the files that have arrived."""
    place, entry = file.found.place, member.entry
    mine = work.archives.store("original", Copy(source, entry, entry.name, member.digest), (place,))
    version = entry.version if moved.durable else ""
    work.archived(place, entry.name, (*problems, *mine), version)
    return Arrived(place, entry, moved.durable)


class _GroupReport:
    """The reports of an archive: each of its files has a record, and all of them have the archive's name."""

    def __init__(self, packed: ZipSource, reports: Mapping[str, FileReport]) -> None:
        self._packed = packed
        self._reports = reports
        self._first, *self._others = reports.values()
        self._read: set[str] = set()

    @property
    def destination(self) -> str:
        """The name of the archive."""
        return self._first.destination

    @property
    def temporaries(self) -> list[str]:
        """The names of the unfinished copies, which are those of the first file's record."""
        return self._first.temporaries

    def rename(self, destination: str) -> None:
        """Give the archive another name."""
        for report in self._reports.values():
            report.rename(destination)

    def begins(self, temporary: str) -> None:
        """Write the records of all files before the archive is made."""
        self._first.begins(temporary)
        for report in self._others:
            report.ensure()

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Do nothing: an archive begins anew."""

    def check(self) -> None:
        """Raise CommitRefused where the archive may not become visible."""
        for report in self._others:
            report.ensure()
        self._first.check()

    def progress(self, count: int) -> None:
        """Report the files that were packed since."""
        del count
        for path in [member.entry.path for member in list(self._packed.members)]:
            if path not in self._read:
                self._read.add(path)
                self._reports[path].read_whole()

    def retrying(self, number: int) -> None:
        """Report that the archive is tried again."""
        self._read.clear()
        for report in self._reports.values():
            report.retrying(number)
