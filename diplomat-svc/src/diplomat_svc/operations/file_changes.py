"""Compute the record of a file after each report, and what one file adds to the totals of its job."""

from dataclasses import replace
from typing import Final

from diplomat_svc.domain.jobs import FileRecord
from diplomat_svc.domain.states import COMPLETE, DELIVERED, FAILURE, SUCCESSFUL, WARNING
from diplomat_svc.operations.file_messages import ArchivedCopy, FileEnd
from diplomat_svc.store.files import storable

# The columns that an end, or a change of it, touches.
END: Final = (
    *("completion", "status", "retries", "sha256", "size", "bytes_done", "ended_at", "description", "temporaries"),
    *("checkpoint", "version", "delivered_size", "delivered_sha256", "copies_pending"),
)
TOTALS: Final = ("successful", "failed", "warnings", "retries", "bytes_done")
# The most names of copies that one record holds; the log has all.
_MOST_COPIES: Final = 20


def ended(file: FileRecord, end: FileEnd, now: int) -> FileRecord:
    """Return the record of a file that ended at `now`."""
    delivered, size = end.completion in DELIVERED, file.size if end.size is None else end.size
    return replace(
        file,
        completion=end.completion,
        status=COMPLETE,
        retries=end.retries,
        sha256=end.sha256,
        size=size,
        bytes_done=size if delivered else file.bytes_done,
        ended_at=max(now, file.began_at),
        description="" if end.completion == SUCCESSFUL else storable(end.warning or end.text),
        temporaries=_without(file.temporaries, end.finished),
        checkpoint=None if delivered else file.checkpoint,
        version=end.version,
        delivered_size=end.delivered_size,
        delivered_sha256=end.delivered_sha256,
        copies_pending=end.completion if end.copies else None,
    )


def warned(file: FileRecord, text: str) -> FileRecord:
    """Return the record of a delivered file with a warning; the first one stays its description."""
    return replace(file, completion=WARNING, description=file.description or storable(text))


def with_copy(file: FileRecord, copy: ArchivedCopy) -> FileRecord:
    """Return the record of a file with one more copy; the same copy again changes nothing."""
    names = tuple(dict.fromkeys((*file.archived.get(copy.which, ()), storable(copy.name))))
    archived = {**file.archived, copy.which: names[:_MOST_COPIES]}
    return replace(file, archived=archived, temporaries=_without(file.temporaries, copy.finished))


def with_member(file: FileRecord, finished: str) -> FileRecord:
    """Return the record of an archive one more member of which is delivered, whose unfinished copy is `finished`."""
    return replace(file, temporaries=_without(file.temporaries, finished))


def _without(temporaries: tuple[str, ...], finished: str) -> tuple[str, ...]:
    return tuple(name for name in temporaries if name != finished)


def copied(file: FileRecord) -> FileRecord:
    """Return the record of a file whose copies are all in the archives: a warning about them is over."""
    completion = file.copies_pending or file.completion
    description = "" if completion == SUCCESSFUL else file.description
    return replace(file, completion=completion, description=description, copies_pending=None)


def counts(file: FileRecord) -> dict[str, int]:
    """Return what one file adds to the `TOTALS` of its job."""
    return {
        "successful": int(file.completion in DELIVERED),
        "failed": int(file.completion == FAILURE),
        "warnings": int(file.completion == WARNING),
        "retries": file.retries,
        "bytes_done": file.bytes_done,
    }
