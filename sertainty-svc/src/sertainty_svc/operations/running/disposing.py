"""Handle the source of a file that is over: keep it, delete it, or move it to another folder (86, 87)."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import BadName, Exists, Interrupted, NotFound, TransferError
from mft_common.endpoints.names import LONGEST, size_of
from mft_common.transfer import Copied, Interrupt, Mover, commit_proof
from mft_common.transfer.commit_proof import CommitProof
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.domain.tasks import AfterSuccess, TaskDefinition
from sertainty_svc.operations.running.faults import sentence_of
from sertainty_svc.operations.running.folders import OpenFolders, TaskFolder
from sertainty_svc.operations.running.reports import Reports
from sertainty_svc.operations.running.trying_again import FIRST_PAUSE_S, tried_again
from sertainty_svc.operations.running.unchanged import UnchangedSource

# The key of a checkpoint with the path that the source gets in another folder.
ASIDE: Final = "aside"
_MOST_NAMES: Final = 10_000


@dataclass(frozen=True)
class Work:
    """The parts that every file of one execution uses."""

    token: str
    definition: TaskDefinition
    reports: Reports
    folders: OpenFolders
    stop: Interrupt

    def sweep(self, temporaries: tuple[str, ...]) -> bool:
        """Remove unfinished files from the folders that are written; return whether that could be done."""
        done = True
        for folder in (self.folders.destination, self.folders.failed, self.folders.archive):
            try:
                if folder is not None:
                    folder.endpoint.sweep(self.token, temporaries)
            except TransferError:
                done = False
        return done


class Disposal:
    """The treatment of the source of `file`, of the version `entry` alone; None where that is not known.

    A newer file of that name is never touched. `left` says whether something may be unfinished. Interrupted where the
    execution is to stop before the source is handled.
    """

    def __init__(self, work: Work, file: ExecutionFile, entry: Entry | None) -> None:
        self.file = file
        self.left = False
        self._work = work
        self._source = work.folders.source
        self._entry = entry

    def after_success(self) -> str:
        """Handle the source of a delivered file; return why it is still there although it should not be, or ""."""
        definition = self._work.definition
        archive = self._work.folders.archive if definition.after_success is AfterSuccess.ARCHIVE else None
        entry = self._entry
        if archive is None and not definition.deletes_source:
            return ""
        if entry is None:
            return "The source was kept: the output may not survive a crash of its system."
        if archive is None:
            return self._tried("The source was not deleted", lambda: self._delete(entry))
        return self._tried("The source was not archived", lambda: self._move(entry, archive))

    def after_failure(self) -> str:
        """Move a file that failed to the folder of failed ones, if any; return why it is still there, or ""."""
        failed, entry = self._work.folders.failed, self._entry
        if failed is None or entry is None:
            return ""
        return self._tried(f"It was not moved to {failed.text}", lambda: self._move(entry, failed))

    def _tried(self, problem: str, call: Callable[[], None]) -> str:
        try:
            call()
        except Interrupted:
            # The next attempt goes on with it.
            raise
        except TransferError as error:
            if isinstance(error, NotFound) and self._is_gone():
                # An earlier attempt has done it, or the file's owner.
                return ""
            self.left = self.left or error.leftover
            return f"{problem}: {sentence_of(error)}"
        return ""

    def _is_gone(self) -> bool:
        try:
            self._source.endpoint.stat(self.file.path)
        except NotFound:
            return True
        except TransferError:
            return False
        return False

    def _delete(self, entry: Entry) -> None:
        work, delete = self._work, self._source.endpoint.delete
        tried_again(lambda: delete(entry, token=work.token), work.definition.retries, work.stop)

    def _move(self, entry: Entry, folder: TaskFolder) -> None:
        """Move the source to another folder, under a name that is free there."""
        if self._was_moved(entry, folder):
            return
        folder.make_folder_of(entry.path)
        for path in names_like(entry.path):
            if _is_taken(folder, path):
                continue
            self._note(path, entry)
            try:
                if self._is_renamed(entry, folder, path):
                    return
                self._copy(entry, folder, path)
            except Exists:
                # Another program was faster.
                continue
            self._delete(entry)
            return
        raise Exists(f"{entry.path}: exists already under {_MOST_NAMES} names")

    def _was_moved(self, entry: Entry, folder: TaskFolder) -> bool:
        """Return whether an earlier attempt had moved the source; end what it had not ended."""
        path = (self.file.checkpoint or {}).get(ASIDE)
        if path is None:
            return False
        try:
            there = folder.endpoint.stat(path)
        except NotFound:
            return False
        proof = CommitProof.of(self.file.checkpoint)
        if proof is not None:
            if proof.find(folder.endpoint, lambda: there, self._work.stop) is None:
                return False
            folder.endpoint.make_durable(path)
            self._delete(entry)
            return True
        if folder.local is None or folder.identity(there) != self._source.identity(entry):
            return False
        folder.endpoint.make_durable(path)
        # A file system without a rename to a free name gives the file both names for a moment.
        now = self._source.endpoint.stat(entry.path)
        if self._source.identity(now) == folder.identity(there):
            self._delete(now)
        return True

    def _is_renamed(self, entry: Entry, folder: TaskFolder, path: str) -> bool:
        """Rename the source where both folders are on one file system; False where they are not."""
        source = self._source.local
        return source is not None and folder.local is not None and source.rename_into(entry, folder.local, path)

    def _copy(self, entry: Entry, folder: TaskFolder, path: str) -> None:
        def begins(temporary: str) -> None:
            self._report(self.file.changed(temporary=temporary))

        def sealed(copied: Copied) -> None:
            values = {commit_proof.SIZE: copied.delivered.size}
            proof = CommitProof(copied.entry, copied.delivered.sha256, values).as_json()
            self.file = self.file.changed(checkpoint={**proof, ASIDE: path})

        moved = Mover(
            token=self._work.token,
            if_exists="fail",
            keep_time=True,
            interrupt=self._work.stop,
            begins=begins,
            sealed=sealed,
            guard=lambda: self._report(self.file),
            retries=self._work.definition.retries,
            delay=FIRST_PAUSE_S,
        ).move(UnchangedSource(self._source.endpoint, entry), entry, folder.endpoint, path)
        self.left = self.left or moved.unremoved
        if not moved.durable:
            raise TransferError(moved.warning)

    def _note(self, path: str, entry: Entry) -> None:
        """Let the worker store where the source goes, before it does."""
        state = "delivered" if self.file.state == "delivered" else "moving"
        self._report(self.file.changed(state=state, checkpoint={commit_proof.ENTRY: asdict(entry), ASIDE: path}))

    def _report(self, file: ExecutionFile) -> None:
        self.file = file
        self._work.reports.changed(file)


def names_like(path: str) -> Iterator[str]:
    """Yield a path, then others with `-1`, `-2`... before the extension of its name (87)."""
    yield path
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    for number in range(1, _MOST_NAMES):
        ending = f"-{number}{dot}{extension}"
        room = LONGEST - size_of(ending)
        if room < 1:
            raise BadName(f"{path}: its extension leaves no room for a number")
        while size_of(stem) > room:
            stem = stem[:-1]
        yield f"{folder}{slash}{stem}{ending}"


def _is_taken(folder: TaskFolder, path: str) -> bool:
    try:
        folder.endpoint.stat(path)
    except NotFound:
        return False
    except TransferError as error:
        if error.heals:
            raise
        # A link, or the name of a folder of the store.
        return True
    return True
