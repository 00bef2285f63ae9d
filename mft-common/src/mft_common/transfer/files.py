"""The `file:` endpoint: a folder of this machine, reached through one open descriptor."""

import contextlib
import stat
from collections.abc import Iterator
from os import stat_result

from mft_common.endpoints.errors import Changed, Denied, TransferError, os_errors
from mft_common.endpoints.names import Patterns, check_name, is_temporary
from mft_common.endpoints.system import SYSTEM, System
from mft_common.transfer.endpoint import Entry, IfExists, Skipped, ignore
from mft_common.transfer.file_writer import FileWriter


def _version(status: stat_result) -> str:
    # The time of the last change of anything (ctime) cannot be set back, so that an edit which restores mtime shows.
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _entry(name: str, status: stat_result) -> Entry:
    return Entry(name, status.st_size, status.st_mtime_ns // 1_000_000, _version(status))


class FileReader:
    """An open source file."""

    def __init__(self, descriptor: int, entry: Entry, system: System) -> None:
        self.entry = entry
        self._descriptor = descriptor
        self._system = system

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the content in blocks of at most `size` bytes."""
        with os_errors(self.entry.name):
            while block := self._system.read(self._descriptor, size):
                yield block

    def check(self) -> None:
        """Raise Changed unless the open file has the version that was opened."""
        with os_errors(self.entry.name):
            status = self._system.status_of(self._descriptor)
        if _version(status) != self.entry.version and not _only_unlinked(status, self.entry):
            raise Changed(f"{self.entry.name}: the source changed while it was read")

    def close(self) -> None:
        """Close the file; an error of closing a file that was only read does not affect the copy."""
        with contextlib.suppress(OSError):
            self._system.close(self._descriptor)


def _only_unlinked(status: stat_result, entry: Entry) -> bool:
    """Return True when the open file was unlinked and is unchanged otherwise: its content is complete."""
    same = entry.version.rpartition(":")[0] == _version(status).rpartition(":")[0]
    return status.st_nlink == 0 and same


class FileEndpoint:
    """A folder by its descriptor, which this object owns. `shown` names the folder in messages."""

    def __init__(self, folder: int, shown: str = "the folder", system: System = SYSTEM) -> None:
        self._folder = folder
        self._shown = shown
        self._system = system

    def list(self, patterns: Patterns, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Yield the regular files that match, by name; only their names are held in memory."""
        with os_errors(self._shown):
            names = sorted(name for name in self._system.names(self._folder) if patterns.match(name))
        for name in names:
            try:
                with os_errors(name):
                    status = self._system.status(name, self._folder)
            except TransferError as error:
                skipped(name, str(error))
                continue
            if stat.S_ISREG(status.st_mode):
                yield _entry(name, status)
            elif not stat.S_ISDIR(status.st_mode):
                skipped(name, f"{name}: is a link or a special file")

    def open(self, entry: Entry) -> FileReader:
        """Open a listed file for reading, as it is now."""
        name = check_name(entry.name)
        with os_errors(name):
            descriptor = self._system.open_read(name, self._folder)
            try:
                status = self._system.status_of(descriptor)
            except BaseException:
                self._system.close(descriptor)
                raise
            if not stat.S_ISREG(status.st_mode):
                self._system.close(descriptor)
                raise Denied(f"{name}: is no regular file")
        return FileReader(descriptor, _entry(name, status), self._system)

    def writer(self, name: str, *, token: str, size: int, if_exists: IfExists = "replace") -> FileWriter:
        """Return a writer to `name` with a temporary file of `token` beside it."""
        return FileWriter(
            self._folder, check_name(name), token=token, size=size, if_exists=if_exists, system=self._system
        )

    def delete(self, entry: Entry) -> None:
        """Delete a file durably; Changed where its version is not that of `entry`."""
        name = check_name(entry.name)
        with os_errors(name):
            if _version(self._system.status(name, self._folder)) != entry.version:
                raise Changed(f"{name}: changed since it was read, so it was not deleted")
            self._system.remove(name, self._folder)
            self._system.sync(self._folder)

    def sweep(self, token: str) -> tuple[str, ...]:
        """Remove every unfinished file of `token`; return their names."""
        with os_errors(self._shown):
            found = sorted(name for name in self._system.names(self._folder) if is_temporary(name, token))
        for name in found:
            with os_errors(name):
                try:
                    self._system.remove(name, self._folder)
                except FileNotFoundError:
                    continue
        return tuple(found)

    def close(self) -> None:
        """Close the folder."""
        with contextlib.suppress(OSError):
            self._system.close(self._folder)
