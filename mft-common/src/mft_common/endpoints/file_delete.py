"""Delete one file of a folder, and no other that takes its name meanwhile.

The file is moved aside first and compared there: a name alone may have passed to another file since it was looked at.
The name that it has aside holds its own one and a mark of the version to be deleted, so that `end_deletions` ends what
a crash has cut off: it removes the file of that version, and gives any other one its name back.
"""

import contextlib
import errno
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from os import stat_result
from typing import Final

from mft_common import logs
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Changed, NotFound, TransferError, of_os_error, os_errors
from mft_common.endpoints.file_listing import mark_of, version_of
from mft_common.endpoints.file_writer import link_or_rename, renamed_to_free
from mft_common.endpoints.former import KEPT, aside_name, deleted_name, is_cut
from mft_common.endpoints.names import printable
from mft_common.endpoints.system import System

# Stands for a name that is too long for such a one: its file is moved aside into a folder, under the name that it has.
_LONG: Final = "."


def delete_version(system: System, name: str, folder: int, entry: Entry, token: str) -> None:
    """Delete the file `name` durably if it has the version of `entry`; Changed where it has not, NotFound without it.

    `token` is the one by which `end_deletions` ends the deletion where it is cut off. An error after which the file may
    still be aside says so (`leftover`).
    """
    file, mark = _Place(name, folder), mark_of(entry.version)
    try:
        try:
            _delete(system, _Deletion.of(system, name, folder, mark, token), file, entry)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            # The file system has shorter names than others, as its first answer tells.
            _delete(system, _Deletion.in_folder(system, folder, mark, token), file, entry)
    except FileNotFoundError as error:
        raise NotFound(f"{entry.path}: does not exist") from error
    except OSError as error:
        failed = of_os_error(error, entry.path)
        failed.leftover = True
        raise failed from error


def end_deletions(system: System, folder: int, token: str) -> None:
    """End the deletions of `token` in a folder that were cut off; the first error is raised after the others ended."""
    failed: list[TransferError] = []
    for hidden in sorted(system.names(folder)):
        try:
            end_deletion(system, hidden, folder, token)
        except TransferError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def end_deletion(system: System, hidden: str, folder: int, token: str) -> bool:
    """End the deletion for which a file was moved aside as `hidden`; return False where it is no name of that kind."""
    found = deleted_name(hidden, token)
    if found is None:
        return False
    with os_errors(printable(found[0])):
        _Deletion(system, hidden, folder, *found).end()
    return True


@dataclass(frozen=True)
class _Place:
    """A name in an open folder."""

    name: str
    folder: int


def _delete(system: System, deletion: "_Deletion", file: _Place, entry: Entry) -> None:
    ended = deletion.end()
    try:
        status = system.status(file.name, file.folder)
    except FileNotFoundError:
        if ended:
            return
        raise
    if version_of(status) == entry.version:
        deletion.move_aside(file.name)
        if deletion.end():
            return
    kept = f"; a newer file is kept as {printable(deletion.kept)}" if deletion.kept else ""
    raise Changed(f"{entry.path}: changed since it was read, so it was not deleted{kept}")


class _Deletion:
    """The deletion of one version, which has the mark `mark`, of one file of a folder; `name` is the file's or _LONG.

    `kept` is the name under which a newer file is kept whose own name another one has taken meanwhile.
    """

    def __init__(self, system: System, hidden: str, folder: int, name: str, mark: str) -> None:
        self.kept = ""
        self._system = system
        self._hidden = hidden
        self._folder = folder
        self._name = name
        self._mark = mark

    @classmethod
    def of(cls, system: System, name: str, folder: int, mark: str, token: str) -> "_Deletion":
        """Return the deletion of a file."""
        hidden = aside_name(name, token, mark)
        if hidden is None:
            return cls.in_folder(system, folder, mark, token)
        return cls(system, hidden, folder, name, mark)

    @classmethod
    def in_folder(cls, system: System, folder: int, mark: str, token: str) -> "_Deletion":
        """Return the deletion of a file whose name is too long for that of a file that is aside."""
        hidden = aside_name(_LONG, token, mark)
        assert hidden is not None
        return cls(system, hidden, folder, _LONG, mark)

    def move_aside(self, name: str) -> None:
        """Rename the file; from here on `end` is needed."""
        try:
            self._move_aside(name)
        except FileExistsError:
            # A worker that has lost its right to the job has moved a file aside meanwhile, which may be a newer one.
            self.end()
            self._move_aside(name)

    def _move_aside(self, name: str) -> None:
        if self._name != _LONG:
            self._rename(name, self._hidden, self._folder)
            return
        with contextlib.suppress(FileExistsError):
            self._system.make_folder(self._hidden, self._folder)
        try:
            with self._opened() as private:
                self._rename(name, name, private)
        except FileNotFoundError:
            self.end()
            raise

    def _rename(self, name: str, hidden: str, folder: int) -> None:
        if not renamed_to_free(self._system, name, self._folder, hidden, folder):
            self._system.rename(name, hidden, self._folder, folder)

    def end(self) -> bool:
        """Remove the file that is aside, or give it its name back where it is another than was to be deleted.

        Where a newer one has that name by now, both are kept. Returns whether a file was removed.
        """
        if self._name != _LONG:
            return self._end(_Place(self._hidden, self._folder), self._name)
        try:
            with self._opened() as private:
                removed = [self._end(_Place(name, private), name) for name in sorted(self._system.names(private))]
            # A folder in which a newer file is kept has another name by now.
            with contextlib.suppress(FileNotFoundError):
                self._system.remove_folder(self._hidden, self._folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        self._system.sync(self._folder)
        return any(removed)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        private = self._system.open_folder(self._hidden, self._folder)
        try:
            yield private
        finally:
            self._system.close(private)

    def _end(self, aside: _Place, name: str) -> bool:
        try:
            status = self._system.status(aside.name, aside.folder)
        except FileNotFoundError:
            return False
        if stat.S_ISREG(status.st_mode) and mark_of(version_of(status)) == self._mark:
            self._remove(aside)
            return True
        log, fields = logs.get("endpoints.file"), {"file": printable(name)}
        if self._put_back(aside, status, _Place(name, self._folder)):
            log.warning("file.newer_restored", **fields)
        else:
            self._keep(status)
            why = "another program has taken the name"
            log.warning("file.newer_kept", **fields, left=printable(self.kept), why=why)
        return False

    def _remove(self, aside: _Place) -> None:
        self._system.remove(aside.name, aside.folder)
        self._system.sync(aside.folder)

    def _put_back(self, aside: _Place, status: stat_result, file: _Place) -> bool:
        """Give a file its name back; False where another file has it, which is not replaced, or the name is cut."""
        if is_cut(file.name):
            # An endpoint of another kind has moved it aside.
            return False
        try:
            now = self._system.status(file.name, file.folder)
            if (now.st_dev, now.st_ino) != (status.st_dev, status.st_ino):
                return False
            linked = True
        except FileNotFoundError:
            try:
                linked = link_or_rename(self._system, aside.name, aside.folder, file.name, file.folder)
            except FileExistsError:
                return False
        self._system.sync(file.folder)
        if linked:
            self._remove(aside)
        return True

    def _keep(self, status: stat_result) -> None:
        """Give the file, or the folder that holds it, a name that no sweep looks for."""
        kept = aside_name(self._name, KEPT, mark_of(version_of(status)))
        assert kept is not None
        self._system.rename(self._hidden, kept, self._folder)
        self._system.sync(self._folder)
        self.kept = kept
