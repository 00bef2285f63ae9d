"""The `file:` endpoint: a folder of this machine, reached through one open descriptor."""

import contextlib
import stat
from collections.abc import Iterator
from os import stat_result
from typing import Final

from mft_common.endpoints.closing import Closing
from mft_common.endpoints.contract import (
    BLOCK,
    Checkpoint,
    Entry,
    Features,
    IfExists,
    Skipped,
    ignore,
)
from mft_common.endpoints.errors import (
    Changed,
    Exists,
    NotFound,
    NotRegular,
    TargetIsFolder,
    TransferError,
    os_errors,
)
from mft_common.endpoints.file_delete import delete_version, end_deletion, end_deletions
from mft_common.endpoints.file_listing import Listing, entry_of, is_content_of, version_of
from mft_common.endpoints.file_moves import Place, rename_version
from mft_common.endpoints.file_writer import FileWriter, link_or_rename, sync_folder
from mft_common.endpoints.folders import Folder, LocalFolders
from mft_common.endpoints.names import Patterns, check_path, is_temporary
from mft_common.endpoints.system import SYSTEM, System
from mft_common.endpoints.targets import Target

_FEATURES: Final = Features(
    resume_read=True,
    resume_write=True,
    atomic_replace=True,
    exact_deletion=True,
    exclusive_create=True,
    modified_at=True,
    keeps_modified_at=True,
    recursive=True,
    folders=True,
    at_once=16,
)


def open_file(target: Target, folders: LocalFolders, *, create: bool = False) -> "FileEndpoint":
    """Open a folder of this machine; with `create` it is made where it is missing. Denied outside `folders`."""
    place = folders.resolve(target)
    return FileEndpoint(place.open(create=create), shown=place.shown)


class FileReader:
    """An open source file."""

    def __init__(self, descriptor: int, entry: Entry, system: System) -> None:
        self.entry = entry
        self._descriptor: int | None = descriptor
        self._system = system

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes, b"" at the end."""
        assert self._descriptor is not None
        with os_errors(self.entry.path):
            return self._system.read(self._descriptor, size)

    def check(self) -> None:
        """Raise Changed unless the open file has the version that was opened."""
        assert self._descriptor is not None
        with os_errors(self.entry.path):
            status = self._system.status_of(self._descriptor)
        if version_of(status) != self.entry.version and not _only_unlinked(status, self.entry):
            raise Changed(f"{self.entry.path}: the source changed while it was read")

    def close(self) -> None:
        """Close the file; an error of closing a file that was only read does not affect the copy."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                self._system.close(descriptor)


def _only_unlinked(status: stat_result, entry: Entry) -> bool:
    """Return True when the open file was unlinked and is unchanged otherwise: its content is complete."""
    return status.st_nlink == 0 and is_content_of(status, entry.version)


def _check(status: stat_result, listed: Entry | None, path: str) -> None:
    """Raise unless an opened file is regular, and still the version that was listed where one is given."""
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular(f"{path}: is no regular file")
    if listed is not None and version_of(status) != listed.version:
        raise Changed(f"{path}: the source changed since its first bytes were read")


class FileEndpoint(Closing):
    """A folder that this object owns. `shown` names it in messages."""

    features = _FEATURES

    def __init__(self, folder: Folder, shown: str = "the folder", system: System = SYSTEM) -> None:
        self._folder = folder
        self._shown = shown
        self._system = system
        self._listing = Listing(folder, shown, system)

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Yield the regular files that match, by name, those of a folder before those of its folders."""
        return self._listing.files(patterns, skipped, recursive=recursive)

    def stat(self, path: str) -> Entry:
        """Return the file or folder of a path, "" for this folder; NotRegular for links and special files."""
        if not path:
            with os_errors(self._shown):
                return entry_of("", self._system.status_of(self._folder.descriptor))
        with self._folder.around(path) as (folder, name), os_errors(path):
            status = self._system.status(name, folder)
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise NotRegular(f"{path}: is a link or a special file")
        return entry_of(path, status)

    def open(self, entry: Entry, start: int = 0) -> FileReader:
        """Open a listed file for reading, as it is now; with `start` only the version that was listed."""
        path = entry.path
        with self._folder.around(path) as (folder, name), os_errors(path):
            descriptor = self._system.open_read(name, folder)
            try:
                status = self._system.status_of(descriptor)
                _check(status, entry if start else None, path)
                self._system.seek(descriptor, start)
            except BaseException:
                self._system.close(descriptor)
                raise
        return FileReader(descriptor, entry_of(path, status), self._system)

    def writer(
        self, path: str, *, token: str, size: int | None = None, resume: Checkpoint | None = None,
        modified_at: int | None = None, if_exists: IfExists = "replace",
    ) -> FileWriter:  # fmt: skip
        """Return a writer to `path` with a temporary file of `token` beside it."""
        del size
        return FileWriter(
            self._folder, check_path(path), token=token, resume=resume, modified_at=modified_at, if_exists=if_exists,
            system=self._system,
        )  # fmt: skip

    def rename(self, path: str, target: str) -> None:
        """Give a file another name, durably; Exists where the target is there."""
        with self._folder.around(path) as (source, old), self._folder.around(target) as (folder, new):
            with os_errors(path):
                if stat.S_ISDIR(self._system.status(old, source).st_mode):
                    raise TargetIsFolder(f"{path}: is a folder")
            with os_errors(target):
                with contextlib.suppress(FileNotFoundError):
                    self._system.status(new, folder)
                    raise Exists(f"{target}: exists already")
                if link_or_rename(self._system, old, source, new, folder):
                    self._system.sync(folder)
                    self._system.remove(old, source)
                self._system.sync(folder)
                self._system.sync(source)

    def rename_into(self, entry: Entry, other: "FileEndpoint", target: str) -> bool:
        """Move a file of this version to a free name of another folder, durably, without copying it.

        False where the two are on different file systems; Exists where the name is taken. Changed where the file has
        another version by now: a newer one keeps its name, or gets it back.
        """
        at, to = self._folder.around(entry.path), other._folder.around(target)  # noqa: SLF001 -- of its own class
        with at as (source, old), to as (folder, new), os_errors(target):
            return rename_version(self._system, Place(old, source), Place(new, folder), entry, target)

    def delete(self, entry: Entry, *, token: str) -> None:
        """Delete a file durably; Changed where its version is not that of `entry`."""
        path = entry.path
        with self._folder.around(path) as (folder, name), os_errors(path):
            delete_version(self._system, name, folder, entry, token)

    def end_deletions(self, token: str) -> None:
        """End the deletions of `token` that were cut off, of the files of this folder and not of those below."""
        with self._folder.opened() as folder, os_errors(self._shown):
            end_deletions(self._system, folder, token)

    def make_durable(self, path: str) -> None:
        """Make the name of a file durable."""
        with self._folder.around(path) as (folder, _), os_errors(path):
            sync_folder(self._system, folder)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it, durably."""
        if path:
            descriptor = self._folder.open(check_path(path), create=True)
            self._system.close(descriptor)

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Remove every unfinished file of `token`: those in this folder and `temporaries`; without these in all below.

        Returns their names. A file that was moved aside to be deleted may be a newer one: its deletion is ended. The
        first error of a file is raised after the others are removed.
        """
        removed, failed = set(), []
        for path in {*self._listing.temporaries(token, recursive=not temporaries), *temporaries}:
            if not is_temporary(path.rpartition("/")[2], token):
                continue
            try:
                if self._remove_unfinished(path, token):
                    removed.add(path)
            except TransferError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return tuple(sorted(removed))

    def _remove_unfinished(self, path: str, token: str) -> bool:
        """Remove an unfinished file; False where it is gone or its name is a folder's, which is never ours."""
        above, _, name = path.rpartition("/")
        with contextlib.suppress(NotFound, TargetIsFolder), self._folder.opened(above) as folder, os_errors(path):
            if not stat.S_ISDIR(self._system.status(name, folder).st_mode):
                if not end_deletion(self._system, name, folder, token):
                    self._system.remove(name, folder)
                return True
        return False

    def close(self) -> None:
        """Close the folder."""
        self._folder.close()
