"""Write what the child of a job reports of its files, and the totals of the job that follow from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import FileRecord, MemberRecord
from diplomat_svc.domain.states import FAILURE, WARNING, Severity, severity_of
from diplomat_svc.operations import file_changes
from diplomat_svc.operations.earlier_records import EarlierRecords, end_of_gone
from diplomat_svc.operations.file_messages import ArchivedCopy, Earlier, FileEnd
from diplomat_svc.operations.owned_row import OwnedRow
from diplomat_svc.store import files, members
from mft_common.process.runner import Json

_REPORT_EVERY_MS: Final = 1000


class OwnedFiles:
    """The files of a job; `earlier` are those of its earlier attempts."""

    def __init__(self, row: OwnedRow, earlier: Sequence[FileRecord] = ()) -> None:
        self._row = row
        self._earlier = EarlierRecords(earlier)
        self._files = {file.place: file for file in earlier}
        # The ends of files that are delivered together, until all are known.
        self._ending: dict[int, FileEnd] = {}
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

    def first_warning(self) -> str:
        """Return how many files have a warning, and the first one; "" where none has."""
        texts = [file.description for file in self._files.values() if file.completion == WARNING]
        return f"{len(texts)} file(s) with a warning; the first: {texts[0]}" if texts else ""

    def earlier(self, source: str, version: str) -> Json:
        """Return what an earlier attempt did with a file; each record is answered once."""
        file = self._earlier.take(files.storable(source), version)
        return None if file is None else asdict(Earlier.of(file))

    def found(self, count: int, size: int) -> Json:
        """Write how many files were found, and how many bytes they have; return the completions of those that are gone.

        Those that an earlier attempt began count also where they are gone. Where it delivered them, their sources were
        deleted since; the others are failures (E23). A source that is gone before its copies were made is a warning.
        """
        gone, now = self._earlier.left, self._row.clock()
        ends = [(self._files[one.place], end) for one in gone if (end := end_of_gone(one)) is not None]
        changed = [file_changes.ended(file, end, now) for file, end in ends if end.completion == FAILURE]
        changed += [file_changes.warned(file, end.text) for file, end in ends if end.completion == WARNING]
        totals = {"found": count + len(gone), "bytes_total": size + sum(file.size for file in gone)}

        def of_job(connection: sa.Connection) -> None:
            self._row.change(connection, **totals)
            self._row.record(connection, f"Found {totals['found']} file(s), {totals['bytes_total']} bytes.")

        records = [(end.text, severity_of(end.completion)) for _, end in ends]
        self._change_all(changed, file_changes.END, records, of_job)
        return [self._files[one.place].completion for one in gone]

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

        What an earlier attempt left at the destination stays known, and the copies of the members of an archive that it
        did not deliver whole. Copies of a file that it delivered are of another version: the file is delivered again.
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
            archived={} if before is None or before.delivered else before.archived,
        )
        if before is not None:
            self._count(before, file)
        self._remember(file)
        with self._row.database.write() as connection:
            self._row.change(connection, **self._totals())
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

    def end(self, ends: Sequence[FileEnd], *, last: bool = True) -> None:
        """Write how files ended, all in one transaction with the `last` part of them: none has its end without others.

        Files that are delivered together must not be in part unknown to the next attempt.
        """
        self._ending.update({end.place: end for end in ends})
        if not last:
            return
        now = self._row.clock()
        changed = [file_changes.ended(self._files[end.place], end, now) for end in self._ending.values()]
        records = [(end.text, severity_of(end.completion)) for end in self._ending.values()]
        self._change_all(changed, file_changes.END, records)
        self._ending.clear()

    def warn(self, place: int, text: str) -> None:
        """Turn a file's success into a warning: it was delivered, and a later step failed; the first warning stays."""
        self._change(file_changes.warned(self._files[place], text), file_changes.END, text, severity_of(WARNING))

    def copied(self, place: int) -> str:
        """Write that all copies of a file are in the archives; return its completion, which is final."""
        file = file_changes.copied(self._files[place])
        self._change(file, file_changes.END)
        return str(file.completion)

    def archived(self, copy: ArchivedCopy) -> None:
        """Write that a copy is in an archive."""
        changed = [file_changes.with_copy(self._files[place], copy) for place in copy.places]

        def of_member(connection: sa.Connection) -> None:
            if copy.member is not None:
                members.archived(connection, self._row.job.sequence, copy.places[0], copy.member, copy.which)

        records = [(copy.text, Severity.INFORMATIONAL)]
        self._change_all(changed, ("archived", "temporaries"), records, of_member)

    def member(self, place: int, number: int, archive_sha256: str) -> Json:
        """Return a member of an archive of this content that an earlier attempt has delivered, None where none has."""
        sequence = self._row.job.sequence
        with self._row.database.read() as connection:
            found = members.find(connection, sequence, place, number, archive_sha256)
        return None if found is None else asdict(found)

    def taken(self, place: int, names: Sequence[str]) -> Json:
        """Return the names at the destination that members of the job's other archives have, with these archives."""
        sequence, wanted = self._row.job.sequence, {files.storable(name): name for name in names}
        with self._row.database.read() as connection:
            found = members.taken(connection, sequence, place, list(wanted))
        return {wanted[name]: archive for name, archive in found.items()}

    def delivered_member(self, place: int, member: Mapping[str, Any], text: str, finished: str) -> None:
        """Write that a member of an archive is at its destination."""
        names = {name: files.storable(member[name]) for name in ("name", "destination")}
        found = MemberRecord(**{**member, **names})

        def of_member(connection: sa.Connection) -> None:
            members.add(connection, self._row.job.sequence, place, found)

        file = file_changes.with_member(self._files[place], finished)
        self._change_all([file], ("temporaries",), [(text, Severity.INFORMATIONAL)], of_member)

    def _change(
        self, file: FileRecord, columns: tuple[str, ...], text: str = "", severity: Severity = Severity.INFORMATIONAL
    ) -> None:
        """Write columns of a file and the totals that follow from them; `text` becomes a record of the log."""
        self._change_all([file], columns, [(text, severity)] if text else [])

    def _change_all(
        self,
        changed: Sequence[FileRecord],
        columns: tuple[str, ...],
        records: Sequence[tuple[str, Severity]],
        also: Callable[[sa.Connection], None] = lambda _connection: None,
    ) -> None:
        """Write columns of files, the totals that follow from them and records of the log; call `also` for the rest."""
        for file in changed:
            self._count(self._files[file.place], file)
            self._remember(file)
        with self._row.database.write() as connection:
            if changed:
                self._row.change(connection, **self._totals())
            for file in changed:
                files.change(connection, self._row.job.sequence, file, columns)
            also(connection)
            for text, severity in records:
                self._row.record(connection, text, severity)
            self._report(connection)

    def _totals(self) -> Mapping[str, Any]:
        return {name: getattr(self._row.job, name) for name in file_changes.TOTALS}

    def _count(self, before: FileRecord, file: FileRecord) -> None:
        """Bring the totals of the job up to date with a changed file.

        That comes before the write, which is repeated where it got no answer.
        """
        old, new, job = file_changes.counts(before), file_changes.counts(file), self._row.job
        self._row.job = replace(job, **{name: getattr(job, name) + new[name] - old[name] for name in new})

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
