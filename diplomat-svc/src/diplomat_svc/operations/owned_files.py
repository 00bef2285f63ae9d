"""Write what the child of a job reports of its files, and the totals of the job that follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import FileRecord
from diplomat_svc.domain.states import COMPLETE, DELIVERED, FAILURE, SUCCESSFUL, WARNING, Severity, severity_of
from diplomat_svc.operations.file_messages import FileEnd
from diplomat_svc.operations.owned_row import OwnedRow
from diplomat_svc.store import files
from mft_common.process.runner import Json

_REPORT_EVERY_MS: Final = 1000
_FILE_END: Final = (
    *("completion", "status", "retries", "sha256", "size", "bytes_done", "ended_at", "description", "temporaries"),
    *("checkpoint", "version", "delivered_size", "delivered_sha256"),
)
# The most names of copies that one record holds; the log has all.
_MOST_COPIES: Final = 20
_TOTALS: Final = ("successful", "failed", "warnings", "retries", "bytes_done")


class OwnedFiles:
    """The files of a job; `earlier` are those of its earlier attempts."""

    def __init__(self, row: OwnedRow, earlier: Sequence[FileRecord] = ()) -> None:
        self._row = row
        self._earlier = {file.source: file for file in earlier}
        self._files = {file.place: file for file in earlier}
        self._unreported: set[int] = set()
        self._reported_at = row.clock()

    @property
    def begun(self) -> tuple[FileRecord, ...]:
        """The files that were begun, as of the last write."""
        return tuple(self._files.values())

    @property
    def temporaries(self) -> tuple[str, ...]:
        """The names of the unfinished copies that may be at the destination."""
        return tuple(name for file in self._files.values() for name in file.temporaries)

    def earlier(self, source: str) -> Json:
        """Return what an earlier attempt did with a file; it is answered once, in case two names are stored alike."""
        file = self._earlier.pop(files.storable(source), None)
        if file is None:
            return None
        wanted = ("place", "completion", "version", "checkpoint")
        return {name: getattr(file, name) for name in wanted}

    def found(self, count: int, size: int) -> int:
        """Write how many files were found, and how many bytes they have.

        Those that an earlier attempt began count also where they are gone. Where it delivered them, their sources were
        deleted since; the others are failures (E23), whose number is returned.
        """
        gone = list(self._earlier.values())
        lost = [file for file in gone if not file.delivered]
        for file in lost:
            if file.completion is None:
                text = f"Failed: {file.source} is gone since an earlier attempt; it may be delivered, and then whole."
                end = FileEnd(place=file.place, completion=FAILURE, text=text, retries=file.retries, leftover=True)
                self.end(end)
        count, size = count + len(gone), size + sum(file.size for file in gone)
        with self._row.database.write() as connection:
            self._row.change(connection, found=count, bytes_total=size)
            self._row.record(connection, f"Found {count} file(s), {size} bytes.")
        return len(lost)

    def begin(
        self,
        place: int,
        source: str,
        destination: str,
        size: int,
        temporary: str = "",
        *,
        modified_at: int | None = None,
    ) -> None:
        """Write a file's record before its temporary file is made (E20); again where the answer got lost.

        What an earlier attempt left at the destination stays known.
        """
        before = self._files.get(place)
        left = () if before is None else tuple(name for name in before.temporaries if name != temporary)
        file = FileRecord(
            place=place,
            source=files.storable(source),
            destination=files.storable(destination),
            size=size,
            modified_at=modified_at,
            began_at=self._row.clock(),
            temporaries=(*left, temporary) if temporary else left,
            checkpoint=None if before is None else before.checkpoint,
        )
        totals = {} if before is None else self._count(before, file)
        self._remember(file)
        with self._row.database.write() as connection:
            self._row.change(connection, **totals)
            files.begin(connection, self._row.job.sequence, file)
            self._report(connection)

    def temporary(self, place: int, name: str) -> None:
        """Write the name of another unfinished copy of a file."""
        before = self._files[place]
        self._change(replace(before, temporaries=(*before.temporaries, name)), ("temporaries",))

    def checkpoint(self, place: int, checkpoint: str) -> None:
        """Write how far a file is."""
        self._change(replace(self._files[place], checkpoint=checkpoint), ("checkpoint",))

    def progress(self, place: int, count: int) -> None:
        """Write how many bytes of a file are moved; no status changes, so the transaction gets no new stamp (A40)."""
        self._change(replace(self._files[place], bytes_done=count), ("bytes_done",))

    def retrying(self, place: int, retries: int) -> None:
        """Write that a file is tried again, for the `retries`th time."""
        self._change(replace(self._files[place], retries=retries), ("retries",))

    def end(self, end: FileEnd) -> None:
        """Write how a file ended."""
        before = self._files[end.place]
        delivered, size = end.completion in DELIVERED, before.size if end.size is None else end.size
        file = replace(
            before,
            completion=end.completion,
            status=COMPLETE,
            retries=end.retries,
            sha256=end.sha256,
            size=size,
            bytes_done=size if delivered else before.bytes_done,
            ended_at=max(self._row.clock(), before.began_at),
            description="" if end.completion == SUCCESSFUL else files.storable(end.text),
            temporaries=before.temporaries if end.leftover else before.temporaries[:-1],
            checkpoint=None if delivered else before.checkpoint,
            version=end.version,
            delivered_size=end.delivered_size,
            delivered_sha256=end.delivered_sha256,
        )
        self._change(file, _FILE_END, end.text, severity_of(end.completion))

    def warn(self, place: int, text: str) -> None:
        """Turn a file's success into a warning: it was delivered, and a later step failed."""
        file = replace(self._files[place], completion=WARNING, description=files.storable(text))
        self._change(file, _FILE_END, text, severity_of(WARNING))

    def archived(self, place: int, which: str, name: str, text: str, temporaries: Sequence[str]) -> None:
        """Write that a copy of a file is in an archive."""
        before = self._files[place]
        names = tuple(dict.fromkeys((*before.archived.get(which, ()), files.storable(name))))[:_MOST_COPIES]
        left = tuple(one for one in before.temporaries if one not in temporaries)
        file = replace(before, archived={**before.archived, which: names}, temporaries=left)
        self._change(file, ("archived", "temporaries"), text)

    def safe(self, place: int, version: str) -> None:
        """Write that another attempt has nothing to do with a file but to delete its source."""
        self._change(replace(self._files[place], version=version), ("version",))

    def _change(
        self, file: FileRecord, columns: tuple[str, ...], text: str = "", severity: Severity = Severity.INFORMATIONAL
    ) -> None:
        """Write columns of a file and the totals that follow from them; `text` becomes a record of the log."""
        totals = self._count(self._files[file.place], file)
        self._remember(file)
        with self._row.database.write() as connection:
            self._row.change(connection, **totals)
            files.change(connection, self._row.job.sequence, file, columns)
            if text:
                self._row.record(connection, text, severity)
            self._report(connection)

    def _count(self, before: FileRecord, file: FileRecord) -> Mapping[str, Any]:
        """Bring the totals of the job up to date with a changed file; return all of them.

        That comes before the write, which is repeated where it got no answer.
        """
        old, new, job = _counts(before), _counts(file), self._row.job
        totals = {name: getattr(job, name) + new[name] - old[name] for name in _TOTALS}
        self._row.job = replace(job, **totals)
        return totals

    def _remember(self, file: FileRecord) -> None:
        self._files[file.place] = file
        self._unreported.add(file.place)

    def _report(self, connection: sa.Connection) -> None:
        """Publish the files that changed, at most once a second."""
        now = self._row.clock()
        if now - self._reported_at < _REPORT_EVERY_MS:
            return
        changed = [self._files[place] for place in sorted(self._unreported)]
        self._row.writer.progress(connection, self._row.job, changed)
        self._reported_at = now
        self._unreported.clear()


def _counts(file: FileRecord) -> dict[str, int]:
    """Return what one file adds to the totals of its job."""
    return {
        "successful": int(file.completion in DELIVERED),
        "failed": int(file.completion == FAILURE),
        "warnings": int(file.completion == WARNING),
        "retries": file.retries,
        "bytes_done": file.bytes_done,
    }
