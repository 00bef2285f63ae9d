"""List the files of a folder of this machine and of the folders below it."""

import contextlib
import hashlib
import stat
from collections.abc import Generator, Iterator
from os import stat_result

from mft_common import clock
from mft_common.endpoints.contract import Entry, Skipped
from mft_common.endpoints.errors import Denied, NotFound, TransferError, os_errors
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.names import Patterns, is_temporary
from mft_common.endpoints.system import System


def version_of(status: stat_result) -> str:
    """Return what identifies exactly this content of a file.

    The time of the last change of anything (ctime) cannot be set back, so that an edit which restores mtime shows.
    """
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def is_content_of(status: stat_result, version: str) -> bool:
    """Return whether a file has the content of `version`, of which a rename or an unlink changes the ctime alone."""
    return version_of(status).rpartition(":")[0] == version.rpartition(":")[0]


def mark_of(version: str) -> str:
    """Return 16 upper-case hex digits that identify the content of `version` within one folder.

    They are the same after a rename, and after a restart that gives the disk another number.
    """
    content = ":".join(version.split(":")[1:4])
    return hashlib.sha256(content.encode()).hexdigest()[:16].upper()


def entry_of(path: str, status: stat_result) -> Entry:
    """Return the entry of a file or folder; a time that no ISO 8601 text can hold is not known."""
    time = status.st_mtime_ns // 1_000_000
    modified_at = time if clock.FIRST_MS <= time <= clock.LAST_MS else None
    if stat.S_ISDIR(status.st_mode):
        return Entry(path, None, modified_at, kind="folder")
    return Entry(path, status.st_size, modified_at, version_of(status))


class Listing:
    """The files below one folder; only the names of the folder that is being listed are held in memory."""

    def __init__(self, folder: Folder, shown: str, system: System) -> None:
        self._folder = folder
        self._shown = shown
        self._system = system

    def files(self, patterns: Patterns, skipped: Skipped, *, recursive: bool) -> Iterator[Entry]:
        """Yield the regular files that match, by name, those of a folder before those of its folders."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with self._folder.opened(folder) as descriptor:
                    names = self._names(folder, descriptor)
                    if not recursive:
                        names = [name for name in names if patterns.match(name)]
                    below = yield from self._files(folder, descriptor, names, patterns, skipped)
            except TransferError as error:
                if not folder:
                    raise
                skipped(folder, str(error))
                continue
            if recursive:
                waiting += reversed(below)

    def temporaries(self, token: str, *, recursive: bool) -> Iterator[str]:
        """Yield the paths of the unfinished files of `token`."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            prefix = f"{folder}/" if folder else ""
            try:
                with self._folder.opened(folder) as descriptor:
                    names = self._names(folder, descriptor)
                    folders = {name for name in names if self._is_folder(name, descriptor)} if recursive else set()
            except (NotFound, Denied):
                continue
            # A folder whose name has the form of an unfinished file holds none of ours: no writer makes files in it.
            waiting += [f"{prefix}{name}" for name in sorted(folders) if not is_temporary(name)]
            yield from (f"{prefix}{name}" for name in names if is_temporary(name, token) and name not in folders)

    def _names(self, folder: str, descriptor: int) -> list[str]:
        with os_errors(folder or self._shown):
            return sorted(self._system.names(descriptor))

    def _is_folder(self, name: str, folder: int) -> bool:
        with os_errors(name), contextlib.suppress(FileNotFoundError):
            return stat.S_ISDIR(self._system.status(name, folder).st_mode)
        return False

    def _files(
        self, folder: str, descriptor: int, names: list[str], patterns: Patterns, skipped: Skipped
    ) -> Generator[Entry, None, list[str]]:
        """Yield the files among the names of a folder; return the paths of its folders."""
        below = []
        for name in names:
            path = f"{folder}/{name}" if folder else name
            try:
                with os_errors(path):
                    status = self._system.status(name, descriptor)
            except TransferError as error:
                skipped(path, str(error))
                continue
            if stat.S_ISDIR(status.st_mode):
                below.append(path)
            elif not patterns.match(name):
                continue
            elif stat.S_ISREG(status.st_mode):
                yield entry_of(path, status)
            else:
                skipped(path, f"{path}: is a link or a special file")
        return below
