"""Deliver each file by itself."""

import json
from collections.abc import Sequence

from diplomat_svc.domain.names import destination_name
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.running.archiving import Copy
from diplomat_svc.operations.running.file_steps import FileSteps
from diplomat_svc.operations.running.work import Arrived, Found, Work
from mft_common.endpoints.contract import Endpoint
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.transfer import Moved
from mft_common.transfer.sources import KeptSource
from mft_common.transfer.steps.keep import Kept


def deliver_each(work: Work, source: Endpoint, found: Sequence[Found], target: Endpoint) -> list[Arrived]:
    """Deliver files one by one (see `Deliver`)."""
    arrived = []
    for one in found:
        if one.is_delivered:
            arrived += one.before
        elif (moved := _deliver(work, source, one, target)) is not None:
            arrived.append(moved)
    return arrived


def _deliver(work: Work, source: Endpoint, found: Found, target: Endpoint) -> Arrived | None:
    entry, earlier = found.entry, found.earlier
    name = destination_name(work.definition.destination.files, entry.name)
    report = FileReport(work.reports, found.place, entry, name)
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
        version = moved.entry.version if moved.durable else ""
        # Before its copies were tried another attempt delivers it again.
        warnings = [warning for warning in (*steps.warnings, moved.warning) if warning]
        safe = "" if work.archives else version
        report.delivered(moved, version=safe, done=work.protection.done, warnings=warnings)
        problems = _archive(work, source, found, moved, name=report.destination, kept=kept)
        work.archived(found.place, entry.name, problems, version)
        return Arrived(found.place, moved.entry, moved.durable)
    finally:
        if kept is not None:
            kept.close()


def _archive(work: Work, source: Endpoint, found: Found, moved: Moved, *, name: str, kept: Kept | None) -> list[str]:
    """Write the copies of a file; return what failed."""
    places, read, made = (found.place,), moved.source, moved.delivered
    problems = work.archives.store("original", Copy(source, moved.entry, found.entry.name, read), places)
    copy = Copy(source, moved.entry, name, made)
    if kept is not None and kept.file is not None:
        again = KeptSource(kept.file, name, made.size)
        copy = Copy(again, again.entries[0], name, made)
    return problems + work.archives.store("delivered", copy, places)
