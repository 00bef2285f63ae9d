"""Delete one file of a server, and no other that takes its name meanwhile: move it aside, compare it there, remove it.

The name that it has aside holds its own one and a mark of the version to be deleted, as in `file_delete`, so that
`end_deletions` ends what a lost connection or a crash has cut off.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Protocol

from mft_common import logs
from mft_common.endpoints.errors import BadName, Changed, Exists, NotFound, NotRegular, TargetIsFolder, TransferError
from mft_common.endpoints.former import KEPT, deleted_name, deletion_name, is_cut
from mft_common.endpoints.names import printable

# The mark of size and time of a file, and that of its size alone.
Marks = tuple[str, str]


class Files(Protocol):
    """The calls of a server that a deletion needs; names are paths of the endpoint, and are not checked."""

    def marks(self, path: str) -> Marks | None:
        """Return the marks of the file that has a name, None where none has; NotRegular, TargetIsFolder.

        BadName where no file of the server can have it.
        """
        ...

    def move(self, path: str, target: str) -> None:
        """Rename in one step the file that has the name, whichever that is."""
        ...

    def give(self, path: str, target: str) -> None:
        """Rename a file to a name that must be free; Exists."""
        ...

    def remove(self, path: str, name: str) -> None:
        """Remove a file, which messages call `name`; NotFound."""
        ...


def marks_of(size: object, time: object) -> Marks:
    """Return the marks of a file, of 16 upper-case hex digits each; `size` and `time` are as the server tells them."""
    return _mark(f"{size}:{time}"), _mark(f"{size}:")


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16].upper()


def delete(files: Files, path: str, mark: str, token: str, look: Callable[[], Marks]) -> None:
    """Delete the file of a mark; Changed where another has its name by now.

    `look()` returns the marks of the file that has the name now, Changed where that is another one, NotFound without
    one. An error after which the file may still be aside says so (`leftover`).
    """
    deletion = Deletion.of(files, path, mark, token)
    try:
        ended = deletion.end()
    except BadName:
        # The server has no room for a name that is longer.
        look()
        files.remove(path, path)
        return
    try:
        found = look()
    except NotFound:
        if ended:
            return
        raise
    if deletion.move_aside():
        if deletion.end() or deletion.is_gone():
            return
        if not deletion.may_be(found):
            kept = f"; a newer file is kept as {printable(deletion.kept)}" if deletion.kept else ""
            raise Changed(f"{printable(path)}: changed since it was read, so it was not deleted{kept}")
    # The server lets no file be renamed, gives it another time then, or hides it: what has the name is removed.
    files.remove(path, path)


def end_deletions(files: Files, paths: Iterable[str], token: str) -> None:
    """End the deletions of `token` whose files are aside under `paths`; the first error is raised after the others."""
    failed: list[TransferError] = []
    for path in paths:
        try:
            end_deletion(files, path, token)
        except TransferError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def end_deletion(files: Files, path: str, token: str) -> bool:
    """End the deletion for which a file was moved aside to `path`; return False where it is no name of that kind."""
    above, slash, hidden = path.rpartition("/")
    found = deleted_name(hidden, token)
    if found is None:
        return False
    Deletion(files, f"{above}{slash}", *found, hidden).end()
    return True


class Deletion:
    """The deletion of one version, which has the mark `mark`, of the file `name` in the folder `above`.

    `name` may be cut where a sweep has found the file that is aside: a newer file cannot get its own name back then.
    `kept` is the name under which a newer file is kept whose own name another one has taken meanwhile.
    """

    def __init__(self, files: Files, above: str, name: str, mark: str, hidden: str) -> None:
        self.kept = ""
        # The marks of a file that was aside, and those that it has since it got its name back; None for an unseen one.
        self._seen: Marks | None = None
        self._restored: Marks | None = None
        # Whether the file that was aside has another name again.
        self._is_back = False
        self._files = files
        self._above = above
        self._name = name
        self._mark = mark
        self._hidden = f"{above}{hidden}"

    @classmethod
    def of(cls, files: Files, path: str, mark: str, token: str) -> "Deletion":
        """Return the deletion of a file."""
        above, slash, name = path.rpartition("/")
        return cls(files, f"{above}{slash}", name, mark, deletion_name(name, token, mark))

    def move_aside(self) -> bool:
        """Rename the file, whereafter `end` is needed; return False where the server refuses to rename it."""
        try:
            self._files.move(f"{self._above}{self._name}", self._hidden)
        except NotFound:
            raise
        except TransferError as error:
            if error.heals:
                error.leftover = True
                raise
            return False
        self._is_back = False
        return True

    def end(self) -> bool:
        """Remove the file that is aside, or give it its name back where it is another than was to be deleted.

        Where a newer one has that name by now, or the name is cut, both are kept. Returns whether a file was removed.
        """
        try:
            return self._end()
        except (NotRegular, TargetIsFolder):
            # No file of ours has this name.
            return False
        except TransferError as error:
            error.leftover = not self._is_back
            raise

    def is_gone(self) -> bool:
        """Return whether the file that was moved aside is not there; one that the server hides gets its name back."""
        if self._is_back:
            return False
        try:
            self._put_back(self._mark)
        except TransferError as error:
            if error.heals:
                error.leftover = True
                raise
            return True
        self._restored = self._files.marks(f"{self._above}{self._name}")
        return False

    def may_be(self, listed: Marks) -> bool:
        """Return whether the file that got its name back may be the listed one, which it could not be compared with.

        A server that copies and deletes instead of renaming gives a file another time, and then its size decides.
        """
        if self._restored is None or self.kept:
            return False
        if self._seen is None:
            return self._restored == listed
        return self._restored != self._seen and self._restored[1] == listed[1] and self._changes_times()

    def _changes_times(self) -> bool:
        """Return whether a rename gives a file another time, by moving the file aside and back once more.

        One that has another time since it got its name back, and keeps that, is a newer file that has replaced it.
        """
        if not self.move_aside():
            return False
        try:
            seen = self._files.marks(self._hidden)
            has_its_name = self._put_back(self._mark if seen is None else seen[0])
        except TransferError as error:
            error.leftover = not self._is_back
            raise
        return has_its_name and seen != self._restored

    def _end(self) -> bool:
        marks = self._files.marks(self._hidden)
        if marks is None:
            return False
        if self._mark in marks:
            self._remove()
            return True
        log, fields = logs.get("endpoints"), {"file": printable(self._name)}
        if self._put_back(marks[0]):
            self._seen, self._restored = marks, self._files.marks(f"{self._above}{self._name}")
            log.warning("file.newer_restored", **fields)
        else:
            why = "its name was cut" if is_cut(self._name) else "another program has taken the name"
            log.warning("file.newer_kept", **fields, left=printable(self.kept), why=why)
        return False

    def _remove(self) -> None:
        try:
            self._files.remove(self._hidden, f"{self._above}{self._name}")
        except NotFound:
            return
        except TransferError as error:
            if not error.heals and not is_cut(self._name):
                # The server lets files be renamed and not be removed: the source keeps its own name.
                self._put_back(self._mark)
            raise

    def _put_back(self, mark: str) -> bool:
        """Give the file its name back; where that is cut or another one has it, one that no sweep looks for."""
        if is_cut(self._name) or not self._give_name():
            self.kept = deletion_name(self._name, KEPT, mark)
            self._files.give(self._hidden, f"{self._above}{self.kept}")
        self._is_back = True
        return not self.kept

    def _give_name(self) -> bool:
        try:
            self._files.give(self._hidden, f"{self._above}{self._name}")
        except Exists:
            return False
        return True
