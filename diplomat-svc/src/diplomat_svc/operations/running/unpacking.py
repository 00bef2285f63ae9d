"""Deliver the members of archives as files (E35)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from diplomat_svc.domain.names import destination_path
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.running.archiving import Copy
from diplomat_svc.operations.running.file_steps import FileSteps
from diplomat_svc.operations.running.work import Arrived, Found, Work
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Exists, Interrupted, TransferError
from mft_common.endpoints.names import check_path
from mft_common.transfer import Moved
from mft_common.transfer.sources import KeptSource, MembersSource, PrivateTarget
from mft_common.transfer.steps.unzip import Archive, BadArchive, Limits

# The key of a record's checkpoint that says why its archive is refused, also in the next attempt.
_REFUSED: Final = "refused"


def deliver_unpacked(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> list[Arrived]:
    """Deliver the members of each file (see `Deliver`): an archive is checked as a whole before its first member."""
    arrived = []
    # The names that members of this attempt's archives have at the destination, each with its archive.
    taken: dict[str, str] = {}
    for one in found:
        if one.is_delivered:
            arrived += one.before
        elif (moved := _deliver(work, source, one, target, taken)) is not None:
            arrived.append(moved)
    return arrived


def _deliver(work: Work, source: Endpoint, found: Found, target: Endpoint, taken: dict[str, str]) -> Arrived | None:
    report = FileReport(work.reports, found.place, found.entry, found.entry.name)
    fetching = FileSteps(work.protection, None)
    private = PrivateTarget(work.private)
    try:
        _check_refused(found)
        fetched = work.moves.move(report, source, found.entry, private, if_exists="fail", steps=fetching.make)
        assert private.file is not None
        archive = Archive(work.private, _limits(work), file=private.file)
        try:
            archive.check()
            members = MembersSource(archive)
            names = _names(work, report, found.entry, members, taken)
            moved, warnings = _deliver_members(work, report, found, (members, names), target)
        finally:
            archive.close()
    except Interrupted:
        raise
    except TransferError as error:
        report.failed(error)
        return None
    durable = fetched.durable and all(one.durable for one in moved)
    version = fetched.entry.version if durable else ""
    told = [warning for warning in (*fetching.warnings, *warnings) if warning]
    safe = "" if work.archives else version
    report.unpacked(fetched, moved, version=safe, done=work.protection.done, warnings=told)
    copy = Copy(source, fetched.entry, found.entry.name, fetched.source)
    problems = work.archives.store("original", copy, (found.place,))
    work.archived(found.place, found.entry.name, problems, version)
    return Arrived(found.place, fetched.entry, durable)


def _limits(work: Work) -> Limits:
    return Limits(size=work.definition.compress.limit, members=work.definition.compress.members)


def _names(
    work: Work, report: FileReport, entry: Entry, members: MembersSource, taken: dict[str, str]
) -> dict[str, str]:
    """Return the names of an archive's members at the destination; Exists where two files would have one name (E26).

    A member replaces none of another archive of the job: that one's source is deleted. The next attempt refuses the
    archive too.
    """
    template = work.definition.destination.files
    if template is not None and "*" not in template and len(members.entries) > 1:
        raise Exists(f"{entry.name}: its {len(members.entries)} files would have one name at the destination")
    names = {member.path: check_path(destination_path(template, member.path)) for member in members.entries}
    if work.definition.destination.if_exists == "replace":
        for path, name in names.items():
            if name in taken:
                text = f"{entry.name}: its {path} would replace that of {taken[name]}, which is of the same job"
                report.checkpoint({_REFUSED: text, "version": entry.version})
                raise Exists(text)
    taken |= dict.fromkeys(names.values(), entry.name)
    return names


def _check_refused(found: Found) -> None:
    """Raise Exists where an earlier attempt has refused this very archive because of the names of its members."""
    kept = json.loads(found.earlier.checkpoint) if found.earlier is not None and found.earlier.checkpoint else {}
    if _REFUSED in kept and kept["version"] == found.entry.version:
        raise Exists(kept[_REFUSED])


def _deliver_members(
    work: Work, report: FileReport, found: Found, unpacked: tuple[MembersSource, Mapping[str, str]], target: Endpoint
) -> tuple[list[Moved], list[str]]:
    """Deliver the members under their names; return what was moved and their warnings.

    BadArchive where a member did not arrive: the others have been tried then (E25).
    """
    members, names = unpacked
    moved, warnings, failed = list[Moved](), list[str](), list[str]()
    for member in members.entries:
        part = _MemberReport(report, names[member.path])
        try:
            one, told = _deliver_member(work, part, members, member, target, found=found)
        except Interrupted:
            raise
        except TransferError as error:
            failed.append(f"{member.path}: {error}")
            continue
        moved.append(one)
        warnings += [f"{member.path}: {warning}" for warning in told if warning]
    if failed:
        raise BadArchive(f"{len(failed)} of {len(names)} members did not arrive, the first of them {failed[0]}")
    return moved, warnings


def _deliver_member(
    work: Work, report: "_MemberReport", members: MembersSource, member: Entry, target: Endpoint, *, found: Found
) -> tuple[Moved, list[str]]:
    """Deliver one member and write its copies; return what was moved and its warnings."""
    kept = work.kept()
    steps = FileSteps(None, work.text(member.path), kept)
    try:
        _make_folder(target, report.destination)
        moved = work.moves.deliver(report, members, member, target, steps=steps.make)
        made, name = moved.delivered, report.destination
        text = f"Delivered {member.path} of {found.entry.name} as {name}: {made.size} bytes, "
        work.reports.note(f"{text}SHA-256 {made.sha256}, retries {moved.retries}.")
        copy = Copy(members, member, name, made)
        if kept is not None and kept.file is not None:
            again = KeptSource(kept.file, name, made.size)
            copy = Copy(again, again.entries[0], name, made)
        problems = work.archives.store("delivered", copy, (found.place,))
        return moved, [*steps.warnings, moved.warning, *problems]
    finally:
        if kept is not None:
            kept.close()


def _make_folder(target: Endpoint, path: str) -> None:
    folder = path.rpartition("/")[0]
    if folder and target.features.folders:
        target.make_folder(folder)


class _MemberReport:
    """The reports of a member; its archive's record has the names of its unfinished copies."""

    def __init__(self, archive: FileReport, destination: str) -> None:
        self.destination = destination
        self.temporaries: list[str] = []
        self._archive = archive

    def rename(self, destination: str) -> None:
        """Give the member another name."""
        self.destination = destination

    def begins(self, temporary: str) -> None:
        """Write the name of an unfinished copy into the record of the archive."""
        self._archive.begins(temporary)
        if temporary and temporary not in self.temporaries:
            self.temporaries.append(temporary)

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Do nothing: another attempt fetches the archive anew."""

    def check(self) -> None:
        """Raise CommitRefused where the member may not become visible."""
        self._archive.check()

    def progress(self, count: int) -> None:
        """Do nothing: the bytes of the archive are counted."""

    def retrying(self, number: int) -> None:
        """Do nothing: the tries of the archive are counted."""
