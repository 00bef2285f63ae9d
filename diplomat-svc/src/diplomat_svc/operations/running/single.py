"""Deliver each file by itself."""

import json
from collections.abc import Sequence

from diplomat_svc.domain.names import destination_name
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.running.archiving import Copy
from diplomat_svc.operations.running.file_steps import FileSteps
from diplomat_svc.operations.running.work import Arrived, Found, Work
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.transfer import Digest
from mft_common.transfer.sources import KeptSource


def deliver_each(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> list[Arrived]:
    """Deliver files one by one (see `Deliver`)."""
    arrived = []
    for one in found:
        if one.is_delivered:
            _copy_again(work, source, one, target)
            arrived += work.arrived([one])
        elif one.is_unknown:
            work.leave(one)
        elif (moved := _deliver(work, source, one, target)) is not None:
            arrived.append(moved)
    return arrived


def _deliver(work: Work, source: Endpoint, found: Found, target: Endpoint) -> Arrived | None:
    entry, earlier = found.entry, found.earlier
    name = destination_name(work.definition.destination.files, entry.name)
    report = FileReport(work.reports, found.place, entry, name)
    work.tell_of_lost_copies(found)
    kept = work.kept()
    steps = FileSteps(work.protection, work.text(name), kept)
    resume = json.loads(earlier.checkpoint) if earlier is not None and earlier.checkpoint else None
    try:
        moved = work.moves.deliver(report, source, entry, target, steps=steps.make, resume=resume)
    except Interrupted:
        raise
    except TransferError as error:
        report.failed(error)
        return None
    else:
        warnings = [*steps.warnings, *moved.warnings]
        report.delivered(moved, copies=bool(work.archives), done=work.protection.done, warnings=warnings)
        copy = Copy(source, moved.entry, report.destination, moved.delivered)
        if kept is not None and kept.file is not None:
            again = KeptSource(kept.file, report.destination, moved.delivered.size)
            copy = Copy(again, again.entries[0], report.destination, moved.delivered)
        _copy(work, source, found, moved.source, copy)
        return Arrived(found.place, moved.entry)
    finally:
        if kept is not None:
            kept.close()


def _copy(work: Work, source: Endpoint, found: Found, read: Digest, delivered: Copy) -> None:
    """Write the copies that a delivered file lacks."""
    entry, places, done = found.entry, (found.place,), found.copies_done or ()
    problems = work.archives.store("original", Copy(source, entry, entry.name, read), places, done=done)
    problems += work.archives.store("delivered", delivered, places, done=done)
    work.copied(found.place, entry.name, problems)


def _copy_again(work: Work, source: Endpoint, found: Found, target: Endpoint) -> None:
    """Write the copies that a file of an earlier attempt lacks."""
    if found.copies_done is None or found.earlier is None:
        return
    read, made = found.earlier.source, found.earlier.delivered
    computed = destination_name(work.definition.destination.files, found.entry.name)
    name = found.delivered_as(computed)
    if made == read:
        copy = Copy(source, found.entry, name, made)
    elif work.protection.encrypts:
        # The same message is not made twice.
        copy = Copy(target, Entry(name, made.size), name, made)
    else:
        copy = Copy(source, found.entry, name, made, FileSteps(work.protection, work.text(computed)).make)
    _copy(work, source, found, read, copy)
