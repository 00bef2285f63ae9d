"""Deliver the members of archives as files (E35)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from diplomat_svc.domain.names import destination_path
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.running.archiving import Copy, CopyReport
from diplomat_svc.operations.running.file_steps import FileSteps
from diplomat_svc.operations.running.members import Members
from diplomat_svc.operations.running.moves import MoveReport
from diplomat_svc.operations.running.work import Arrived, Found, Work
from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.errors import Exists, Interrupted, TransferError
from mft_common.endpoints.names import check_path
from mft_common.transfer import Digest, Moved
from mft_common.transfer.sources import MembersSource, PrivateTarget
from mft_common.transfer.steps.unzip import Archive, Limits


def deliver_unpacked(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> list[Arrived]:
    """Deliver the members of each file (see `Deliver`): an archive is checked as a whole before its first member."""
    arrived = []
    # The names that members of this attempt's archives have at the destination, each with its archive.
    taken: dict[str, str] = {}
    for one in found:
        if one.is_delivered:
            _copy_again(work, source, one)
            arrived += work.arrived([one])
        elif one.is_unknown:
            work.leave(one)
        elif (moved := _deliver(work, source, one, target, taken)) is not None:
            arrived.append(moved)
    return arrived


def _deliver(work: Work, source: Endpoint, found: Found, target: Endpoint, taken: dict[str, str]) -> Arrived | None:
    report = FileReport(work.reports, found.place, found.entry, found.entry.name)
    fetching = FileSteps(work.protection, None)
    work.tell_of_lost_copies(found)
    try:
        with _opened(work, report, source, found, fetching) as (fetched, members):
            members.deliver(report, _names(work, found, members.source, taken), target)
    except Interrupted:
        raise
    except TransferError as error:
        report.failed(error, unpacked=True)
        return None
    warnings = [*fetching.warnings, *members.warnings]
    report.unpacked(
        fetched, members.delivered, copies=bool(work.archives), done=work.protection.done, warnings=warnings
    )
    _copy(work, source, found, fetched.source, members.problems)
    return Arrived(found.place, fetched.entry)


@contextmanager
def _opened(
    work: Work, report: MoveReport, source: Endpoint, found: Found, fetching: FileSteps
) -> Iterator[tuple[Moved, Members]]:
    """Fetch an archive and check it; yield what was fetched and its members."""
    private = PrivateTarget(work.private)
    fetched = work.moves.move(report, source, found.entry, private, if_exists="fail", steps=fetching.make)
    assert private.file is not None
    compress = work.definition.compress
    limits = Limits(size=compress.limit, members=compress.members)
    archive = Archive(work.private, limits, file=private.file)
    try:
        archive.check()
        yield fetched, Members(work, found.place, found.entry.name, fetched.source.sha256, archive)
    finally:
        archive.close()


def _copy_again(work: Work, source: Endpoint, found: Found) -> None:
    """Write the copies that an archive of an earlier attempt and its members lack."""
    if found.copies_done is None or found.earlier is None:
        return
    problems = []
    if work.archives.wants("delivered"):
        report = CopyReport(work.reports, found.place, found.entry.name)
        try:
            with _opened(work, report, source, found, FileSteps(work.protection, None)) as (_, members):
                members.copy_again()
                problems = members.problems
        except Interrupted:
            raise
        except TransferError as error:
            problems = [f"its members were not copied: {error}"]
    _copy(work, source, found, found.earlier.source, problems)


def _copy(work: Work, source: Endpoint, found: Found, read: Digest, problems: Sequence[str]) -> None:
    """Write the copies of the archive itself that it lacks; `problems` are those of its members' copies."""
    copy, done = Copy(source, found.entry, found.entry.name, read), found.copies_done or ()
    mine = work.archives.store("original", copy, (found.place,), done=done)
    work.copied(found.place, found.entry.name, (*problems, *mine))


def _names(work: Work, found: Found, members: MembersSource, taken: dict[str, str]) -> dict[str, str]:
    """Return the names of an archive's members at the destination; Exists where two files would have one name (E26).

    A member replaces none of another archive of the job, of this attempt or an earlier one: that one's source is
    deleted.
    """
    archive, template = found.entry.name, work.definition.destination.files
    if template is not None and "*" not in template and len(members.entries) > 1:
        raise Exists(f"{archive}: its {len(members.entries)} files would have one name at the destination")
    names = {member.path: check_path(destination_path(template, member.path)) for member in members.entries}
    if work.definition.destination.if_exists == "replace":
        others = taken | work.reports.taken(found.place, tuple(names.values()))
        for path, name in names.items():
            if name in others:
                raise Exists(f"{archive}: its {path} would replace that of {others[name]}, which is of the same job")
    taken |= dict.fromkeys(names.values(), archive)
    return names
