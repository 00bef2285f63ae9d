"""Move one file of a transfer from its source to its destination, and do with its source what was asked for."""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from mft_common.clock import now_ms
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, NotFound, TransferError
from mft_common.transfer import Copied, Moved, Mover, commit_proof
from mft_common.transfer.commit_proof import CommitProof
from mft_common.transfer.steps import MakeSteps
from mft_common.transfer.steps.text import TargetEnds, Text
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import EndOfLine, ItemRequest
from mqmft_svc.operations.managed.order import DESTINATION, SOURCE
from mqmft_svc.operations.managed.problems import NotPossible, description_of, sentence, sentence_of
from mqmft_svc.operations.managed.reports import Reports
from mqmft_svc.operations.managed.roots import Root
from mqmft_svc.operations.managed.trying import FIRST_PAUSE_S, Trying

_PROGRESS_S: Final = 0.5
_CHECKPOINT_S: Final = 0.5
_ENDS: Final[Mapping[EndOfLine, TargetEnds]] = {"LF": "lf", "CRLF": "crlf"}


@dataclass(frozen=True)
class Work:
    """The parts that every move of one run uses."""

    token: str
    reports: Reports
    roots: Mapping[str, Root]
    trying: Trying

    @property
    def source(self) -> Root:
        """The root of the source agent, which is open where an item has files there."""
        return self.roots[SOURCE]

    @property
    def destination(self) -> Root:
        """The root of the destination agent, which is open where an item has files there."""
        return self.roots[DESTINATION]


class FileMove:
    """One file on its way: `run` brings it to its end. `entry` is how this run has listed it, None for an earlier run.

    `left` says whether an unfinished file, or a source that was moved aside, may be left.
    """

    def __init__(self, work: Work, item: ItemRequest, file: ManagedFile, entry: Entry | None) -> None:
        self.left = False
        self._work = work
        self._item = item
        self._file = file
        self._entry = entry
        self._began = False
        # The checkpoint that proves the commit, once the file is whole.
        self._proof: Mapping[str, Any] | None = None
        # Names of unfinished files of earlier runs and tries.
        self._former = [file.temporary] if file.temporary else []
        # What is at the destination already, and is only read once more for its digests.
        self._safe = 0 if file.checkpoint is None else int(file.checkpoint.get("position", 0))
        # The version that was read, once the file is delivered durably.
        self._delivered = commit_proof.entry_of(file.checkpoint) if file.delivered else None

    def run(self) -> None:
        """Move the file; Interrupted, CommitRefused and Away leave it as it is, for another run."""
        self._work.trying.check_stop()
        try:
            if not self._file.delivered and not self._was_committed():
                self._deliver()
        except Interrupted:
            raise
        except TransferError as error:
            self._fail(error)
            return
        self._finish_source()
        state = "warning" if self._file.description else "successful"
        self._end(self._file.changed(state=state, temporary="", checkpoint=None))

    def _was_committed(self) -> bool:
        """Return whether an earlier run was cut off between the commit of the file and its report (225)."""
        found = CommitProof.of(self._file.checkpoint)
        if found is None:
            return False
        trying, destination = self._work.trying, self._work.destination
        look = functools.partial(destination.look, self._file.destination)
        there = trying.call(lambda: found.find(destination.endpoint, look, trying.stop))
        if there is None:
            self._file = self._file.changed(checkpoint=None)
            return False
        self._file = as_delivered(self._file, found, there)
        # The earlier run may have been cut off before the name was durable.
        self._delivered = found.entry if self._is_durable() else None
        return True

    def _is_durable(self) -> bool:
        """Make the name of the delivered file durable; return whether it is. A second try would prove nothing."""
        try:
            self._work.destination.endpoint.make_durable(self._file.destination)
        except TransferError:
            return False
        return True

    def _deliver(self) -> None:
        entry = self._find_entry()
        self._file = self._file.changed(size=entry.size, modified_at=entry.modified_at)
        self._work.trying.call(lambda: self._check_destination(entry))
        moved = self._move(entry)
        tries = self._file.tries + moved.retries + 1
        values = self._values(moved)
        self._file = self._file.changed(**values, tries=tries, delivered=True, delivered_at=now_ms(), checkpoint=None)
        if moved.warning:
            self._warn(sentence(moved.warning))
        self._delivered = moved.entry if moved.durable else None

    def _find_entry(self) -> Entry:
        """Return the source as it is now."""
        entry = self._entry
        if entry is None:
            entry = self._work.trying.call(lambda: self._work.source.look(self._file.source))
        if entry.kind == "folder":
            raise NotPossible(f"{self._file.source}: is a directory by now")
        return entry

    def _move(self, entry: Entry) -> Moved:
        source, destination = self._ends()
        try:
            return self._mover().move(source, entry, destination, self._file.destination, self._file.checkpoint)
        except NotFound:
            # Which side lacks something, the error does not tell.
            self._work.trying.call(lambda: self._look_for_source(entry))
            raise

    def _ends(self) -> tuple[Endpoint, Endpoint]:
        """Return what the file is read from, and what it is written to."""
        return self._work.source.endpoint, self._work.destination.endpoint

    def _look_for_source(self, entry: Entry) -> None:
        """Raise SourceMissing where the source is gone."""
        self._work.source.look(entry.path)

    def _mover(self) -> Mover:
        position, trying = self._file.position, self._work.trying
        md5 = self._item.checksum == "md5"
        return Mover(
            token=self._work.token,
            if_exists="fail" if self._item.destination.if_exists == "error" else "replace",
            verify="sha256" if md5 else "size",
            steps=self._steps(),
            md5=md5,
            interrupt=trying.stop,
            begins=self._begins,
            progress=self._progress,
            progress_every=_PROGRESS_S,
            checkpointed=functools.partial(self._work.reports.checkpoint, position),
            checkpoint_every=_CHECKPOINT_S,
            sealed=self._sealed,
            guard=lambda: self._work.reports.check_commit(position, self._proof),
            retries=trying.retries,
            delay=FIRST_PAUSE_S,
            keep=trying.recover,
        )

    def _steps(self) -> MakeSteps | None:
        if self._item.mode == "binary":
            return None
        source, destination = self._item.source, self._item.destination
        ends = _ENDS[destination.end_of_line]
        return [functools.partial(Text, source.encoding, destination.encoding, from_ends="lf_or_crlf", to_ends=ends)]

    def _check_destination(self, entry: Entry) -> None:
        """Raise where the destination is the source itself, or a link (217); make the folder that is missing."""
        source, destination, path = self._work.source, self._work.destination, self._file.destination
        same = source.place(entry.path) == destination.place(path)
        if destination.endpoint.features.folders:
            version = _version_at(destination, path)
            known = source.has_identities and destination.has_identities
            same = same or (known and version == entry.version)
        if same:
            raise NotPossible(f"{path}: source and destination are the same file")
        destination.make_folder_of(path)

    def _begins(self, temporary: str) -> None:
        if self._began and temporary == self._file.temporary:
            return
        if self._began and self._file.temporary:
            self._former.append(self._file.temporary)
        self._began = True
        self._file = self._file.changed(state="moving", temporary=temporary)
        self._work.reports.began(self._file)

    def _progress(self, count: int) -> None:
        done = max(count, self._safe)
        self._file = self._file.changed(bytes_done=done)
        self._work.reports.progress(self._file.position, done)

    def _sealed(self, copied: Copied) -> None:
        if not self._began:
            self._begins("")
        self._proof = CommitProof(copied.entry, copied.delivered.sha256, self._values(copied)).as_json()

    def _values(self, copied: Copied | Moved) -> dict[str, Any]:
        """Return what the record has of the bytes on each side; digests where a checksum is asked for (223)."""
        source, delivered = copied.source, copied.delivered
        sizes: dict[str, Any] = {"size": source.size, "bytes_done": source.size, "delivered_size": delivered.size}
        sizes["modified_at"] = copied.entry.modified_at or self._file.modified_at
        if self._item.checksum == "none":
            return sizes
        digests = {"source_md5": source.md5, "source_sha256": source.sha256}
        return {**sizes, **digests, "delivered_md5": delivered.md5, "delivered_sha256": delivered.sha256}

    def _finish_source(self) -> None:
        """Do with the source what was asked for, once the file is delivered."""
        if self._item.source.disposition == "delete":
            self._delete_source()

    def _delete_source(self) -> None:
        """Delete the version that was read, where the delivered file is durable; else a warning says why not (224)."""
        entry = self._delivered
        if entry is None:
            self._warn("The source was not deleted: the delivered file may not survive a crash of its system.")
            return
        self._file = self._file.changed(checkpoint={commit_proof.ENTRY: asdict(entry)})
        self._work.reports.delivered(self._file)
        delete = functools.partial(self._work.source.endpoint.delete, entry, token=self._work.token)
        try:
            self._work.trying.call(delete, needed=False)
        except NotFound:
            # It is gone: an earlier try has deleted it.
            return
        except Interrupted:
            raise
        except TransferError as error:
            self.left = self.left or error.leftover
            self._warn(f"The source was not deleted: {sentence_of(error)}")

    def _warn(self, sentence: str) -> None:
        self._file = self._file.changed(description=f"{self._file.description} {sentence}".strip())

    def _fail(self, error: TransferError) -> None:
        """End the file as failed; Away where another run may go on instead."""
        if self._may_recover(error):
            self._work.trying.give_up(error)
        if error.leftover and self._file.temporary:
            self._former.append(self._file.temporary)
        tries = self._file.tries + error.tries
        values = {"tries": tries, "temporary": "", "checkpoint": None}
        self._end(self._file.changed(state="failed", description=description_of(error), **values))

    def _may_recover(self, _error: TransferError) -> bool:
        """Return whether another run may go on after an error that did not heal in this one."""
        return True

    def _end(self, file: ManagedFile) -> None:
        """Remove unfinished files of former tries, then report the end."""
        if self._former:
            try:
                self._work.destination.endpoint.sweep(self._work.token, tuple(dict.fromkeys(self._former)))
            except TransferError:
                self.left = True
                file = file.changed(temporary=self._former[-1])
        self._work.reports.ended(file)


def as_delivered(file: ManagedFile, proof: CommitProof, there: Entry) -> ManagedFile:
    """Return a file as delivered, which is at its destination as `there`."""
    at = there.modified_at or now_ms()
    return file.changed(**proof.values, delivered=True, delivered_at=at, checkpoint=None)


def _version_at(destination: Root, path: str) -> str | None:
    """Return the version of what is there, None for nothing; NotRegular for a link or a special file."""
    try:
        return destination.look(path).version
    except NotFound:
        return None
