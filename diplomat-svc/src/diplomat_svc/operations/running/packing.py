"""Deliver all files of a job in one archive (E35)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diplomat_svc.domain.names import destination_name
from diplomat_svc.domain.states import Severity
from diplomat_svc.operations.file_messages import FileEnd
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.running.archiving import Copy
from diplomat_svc.operations.running.file_steps import FileSteps
from diplomat_svc.operations.running.text_mode import TextMode
from diplomat_svc.operations.running.work import Arrived, Found, Work
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.transfer import Digest, Moved
from mft_common.transfer.sources import KeptSource, ZippedMember, ZipSource
from mft_common.transfer.steps.keep import Kept


def deliver_packed(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> list[Arrived]:
    """Deliver one archive of all files (see `Deliver`): all of them arrive, or none.

    Where an earlier attempt has delivered the archive, the files that it did not hold are left to the next job, also
    where the sources of all others are deleted: their archive would be replaced. Where it may have, all are left.
    """
    if any(one.is_unknown for one in found):
        for one in found:
            work.leave(one)
        return []
    reports = work.reports
    if not (reports.job.delivered or reports.unknown):
        return _deliver(work, source, found, target) if found else []
    delivered = [one for one in found if one.is_delivered]
    how = "is" if reports.job.delivered else "may be"
    for one in found:
        if not one.is_delivered:
            text = f"{one.entry.name} was left where it is: the archive of an earlier attempt {how} delivered."
            work.reports.note(text, Severity.WARNING)
            if one.lost_copies:
                work.reports.warn_file(one.place, one.lost_copies)
    _copy_again(work, source, delivered, target)
    return work.arrived(delivered)


def _copy_again(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> None:
    """Write the copies that the archive and the files of an earlier attempt lack."""
    lacking = [one for one in found if one.copies_done is not None]
    if not lacking:
        return
    earlier = lacking[0].earlier
    assert earlier is not None
    name, made = lacking[0].delivered_as(_name(work)), earlier.delivered
    if work.protection.encrypts:
        # The same message is not made twice.
        copy = Copy(target, Entry(name, made.size), name, made)
    else:
        packed = _packed(work, source, {one.entry.path: work.text(one.entry.name) for one in found}, found)
        copy = Copy(packed, packed.entries[0], name, made)
    problems = work.archives.store("delivered", copy, [one.place for one in lacking], done=lacking[0].copies_done or ())
    for one in lacking:
        assert one.earlier is not None
        _copy(work, source, one, one.entry, one.earlier.source, problems=problems)


@dataclass(frozen=True)
class _File:
    """A file that is packed, its reports, and what converts its line ends."""

    found: Found
    report: FileReport
    text: TextMode | None

    def warnings(self, moved: Moved) -> list[str]:
        """Return what may touch the integrity of the file in the archive that was delivered."""
        problem = self.text.problem if self.text is not None else ""
        return [*([problem] if problem else ()), *moved.warnings]


def _deliver(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> list[Arrived]:
    name = _name(work)
    files = {
        one.entry.path: _File(one, FileReport(work.reports, one.place, one.entry, name), work.text(one.entry.name))
        for one in found
    }
    packed = _packed(work, source, {path: file.text for path, file in files.items()}, found)
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
        # The archive holds all of them or none: no attempt may know of some alone.
        work.reports.end_files(*(_end(work, files[one.entry.path], one, moved) for one in packed.members))
        problems = [] if kept is None else _archive(work, kept, group.destination, moved, found)
        arrived = [(files[member.entry.path].found, member) for member in packed.members]
        for one, member in arrived:
            _copy(work, source, one, member.entry, member.digest, problems=problems)
        return [Arrived(one.place, member.entry) for one, member in arrived]
    finally:
        if kept is not None:
            kept.close()


def _end(work: Work, file: _File, member: ZippedMember, moved: Moved) -> FileEnd:
    warnings = file.warnings(moved)
    return file.report.packed(member, moved, copies=bool(work.archives), done=work.protection.done, warnings=warnings)


def _name(work: Work) -> str:
    """Return the name of the archive at the destination."""
    assert work.definition.compress.zip is not None
    return destination_name(work.definition.destination.files, work.definition.compress.zip)


def _packed(work: Work, source: Endpoint, texts: Mapping[str, TextMode | None], found: Sequence[Found]) -> ZipSource:
    """Return the archive of files, whose line ends `texts` convert; the same files give the same archive."""
    assert work.definition.compress.zip is not None
    entries = [one.entry for one in found]
    return ZipSource(
        source, entries, work.definition.compress.zip, lambda entry: FileSteps(None, texts[entry.path]).make
    )


def _archive(work: Work, kept: Kept, name: str, moved: Moved, found: Sequence[Found]) -> list[str]:
    """Write the copies of what was delivered, which all records tell of; return what failed."""
    assert kept.file is not None
    again = KeptSource(kept.file, name, moved.delivered.size)
    copy = Copy(again, again.entries[0], name, moved.delivered)
    return work.archives.store("delivered", copy, [one.place for one in found])


def _copy(work: Work, source: Endpoint, found: Found, entry: Entry, read: Digest, *, problems: Sequence[str]) -> None:
    """Write the copies of the original that a packed file lacks; `problems` are those of the archive's copies."""
    copy, done = Copy(source, entry, entry.name, read), found.copies_done or ()
    mine = work.archives.store("original", copy, (found.place,), done=done)
    work.copied(found.place, entry.name, (*problems, *mine))


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
