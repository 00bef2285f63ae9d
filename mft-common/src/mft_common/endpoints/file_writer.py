"""Write one file of a folder so that it is whole and durable before it gets its final name."""

import contextlib
import errno
import stat
from dataclasses import replace
from os import stat_result
from typing import Final

from mft_common.endpoints.contract import Begins, Checkpoint, IfExists, Stored, Verify, note_nothing
from mft_common.endpoints.errors import Exists, Mismatch, NotFound, TargetIsFolder, destination_errors, of_os_error
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.names import temporary_name
from mft_common.endpoints.pauses import Pauses
from mft_common.endpoints.read_back import Comparison, ReadBack
from mft_common.endpoints.system import System

# The errors of link() on file systems without hard links.
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
# The errors of a rename that must replace nothing, on file systems and in containers without that call.
_NO_EXCLUSIVE_RENAME: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM)
# The errors of fsync() on folders of file systems that have no such call (CIFS and some of FUSE).
_NO_FOLDER_SYNC: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
# A file up to this size is digested once more at its end, which costs some milliseconds.
_SMALL: Final = 8 << 20
# The number of bytes after which the kernel is asked to begin to write them to the disk.
_WINDOW: Final = 16 << 20


class FileWriter:
    """A file on its way in: temporary name, fsync, read back, rename (link where it may replace nothing), fsync."""

    def __init__(
        self, folder: Folder, path: str, *, token: str, resume: Checkpoint | None, modified_at: int | None,
        if_exists: IfExists, system: System,
    ) -> None:  # fmt: skip
        above, slash, self._name = path.rpartition("/")
        self._hidden = temporary_name(self._name, token)
        self.temporary = f"{above}{slash}{self._hidden}"
        self._above = above
        self._in = folder
        self._path = path
        self._resume = resume
        self._modified_at = modified_at
        self._if_exists = if_exists
        self._system = system
        self._folder: int | None = None
        self._descriptor: int | None = None
        self._comparison = Comparison(system)
        # The digest of a file whose first bytes an earlier writer wrote; a new file is compared as it is written.
        self._read_back: ReadBack | None = None
        self._position = 0
        self._started = 0
        self._made = False
        # Device and inode of the sealed file: a repeated commit recognises the file that the first one has named.
        self._identity: tuple[int, int] | None = None
        self._changed_ns = 0
        self._stored = Stored(0, "")
        self._committing = False
        self._pauses = Pauses()

    def begin(self, begins: Begins = note_nothing) -> int:
        """Open the temporary file of the checkpoint, or make a new one in place of what an earlier try left."""
        begins(self.temporary)
        with destination_errors(self._path):
            self._folder = self._in.open(self._above)
            self._target(self._folder)
            if self._resume is None or not self._reopen(self._folder, self._resume):
                with contextlib.suppress(FileNotFoundError):
                    self._system.remove(self._hidden, self._folder)
                # Set before the call: a call that fails may have made the file nevertheless.
                self._made = True
                self._descriptor = self._system.create(self._hidden, self._folder)
        self._started = self._position
        if self._position:
            self._read_back = ReadBack(self._system, self._hidden, self._folder, self._path)
        return self._position

    def _reopen(self, folder: int, checkpoint: Checkpoint) -> bool:
        """Open the temporary file of an earlier writer at its checkpoint; False where it is not there as it was."""
        try:
            descriptor = self._system.open_write(self._hidden, folder)
        except OSError:
            return False
        self._made, self._descriptor = True, descriptor
        status = self._system.status_of(descriptor)
        same = stat.S_ISREG(status.st_mode) and checkpoint.state.get("inode") == _inode(status)
        if not same or status.st_size < checkpoint.position:
            self._descriptor = None
            self._system.close(descriptor)
            return False
        self._system.truncate(descriptor, checkpoint.position)
        self._system.seek(descriptor, checkpoint.position)
        self._position = checkpoint.position
        return True

    def feed(self, block: bytes | memoryview) -> None:
        """Write a block, and read it back."""
        assert self._descriptor is not None
        self._check_owner(self._descriptor)
        rest = memoryview(block)
        with destination_errors(self._path):
            while rest:
                count = self._system.write(self._descriptor, rest)
                if self._read_back is None:
                    self._comparison.compare(self._descriptor, rest[:count], self._position)
                self._position += count
                rest = rest[count:]
            if self._position - self._started >= _WINDOW:
                self._system.start_writing(self._descriptor, self._started, self._position - self._started)
                self._started = self._position
        if self._read_back is not None:
            self._read_back.written(self._position)

    def flush(self) -> Checkpoint:
        """Fsync what was written."""
        assert self._descriptor is not None
        with destination_errors(self._path):
            self._system.sync(self._descriptor)
            status = self._system.status_of(self._descriptor)
        return Checkpoint(self._position, {"inode": _inode(status)})

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Fsync, then compare size and checksum.

        A file up to 8 MiB, and one that an earlier writer began, is digested from its pages. Of a larger one each byte
        was compared with the one that was fed.
        """
        assert self._descriptor is not None
        self._check_owner(self._descriptor)
        with destination_errors(self._path):
            if self._modified_at is not None:
                self._system.set_modified(self._descriptor, self._modified_at)
            self._system.sync(self._descriptor)
            status = self._system.status_of(self._descriptor)
            self._identity, self._changed_ns = (status.st_dev, status.st_ino), status.st_ctime_ns
            # On network file systems close() may report a failed write.
            descriptor, self._descriptor = self._descriptor, None
            self._system.close(descriptor)
        if status.st_size != size:
            raise Mismatch(f"{self._path}: {status.st_size} bytes arrived of {size}")
        if verify == "sha256" and not self._reads_back_as(size, sha256):
            raise Mismatch(f"{self._path}: the written bytes read back with another checksum")
        if self._read_back is not None:
            self._read_back.stop()
        self._stored = Stored(size, sha256)
        return True

    def _reads_back_as(self, size: int, sha256: str) -> bool:
        assert self._folder is not None
        if self._read_back is None and size <= _SMALL:
            self._read_back = ReadBack(self._system, self._hidden, self._folder, self._path)
        return self._comparison.equal and (self._read_back is None or self._read_back.digest(size) == sha256)

    def commit(self) -> Stored:
        """Give the file its final name in one step and make the name durable; may be called again after Transient.

        A name that cannot be made durable is a warning: the file is visible, and may have been taken already.
        """
        folder = self._folder
        if folder is None:
            return self._stored
        with destination_errors(self._path):
            if not self._has_its_name(folder):
                self._stored = replace(self._stored, replaced=self._target(folder) is not None)
                if self._is_anothers(folder):
                    raise Mismatch(f"{self._path}: the temporary file is no longer the one that was compared")
                self._rename(folder)
            self._make_name_durable(folder)
            if self._made:
                # The file is delivered; a temporary name that cannot be removed now is left to the sweep.
                with contextlib.suppress(OSError):
                    self._remove_temporary(folder)
        self._close_folder()
        return self._stored

    def _make_name_durable(self, folder: int) -> None:
        # No second try: the kernel reports a failed write once, and the next fsync succeeds whatever became of it.
        try:
            sync_folder(self._system, folder)
        except OSError as error:
            warning = str(of_os_error(error, f"{self._path} is visible and may not survive a crash of the system"))
            self._stored = replace(self._stored, durable=False, warning=warning)

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Remove the temporary name, or keep it; a file that has its final name already is committed instead."""
        if self._read_back is not None:
            self._read_back.stop()
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            # The file is removed next or was flushed: an error of its close does not matter.
            with contextlib.suppress(OSError):
                self._system.close(descriptor)
        folder = self._folder
        if folder is None:
            return None
        with destination_errors(self._path):
            if self._has_its_name(folder):
                return self.commit()
            if self._made and not keep and not self._is_anothers(folder):
                self._remove_temporary(folder)
        self._close_folder()
        return None

    def _close_folder(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            with contextlib.suppress(OSError):
                self._system.close(folder)

    def _target(self, folder: int) -> stat_result | None:
        """Return the status of the final name, None where it is free; raise where it must not be replaced."""
        try:
            status = self._system.status(self._name, folder)
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(status.st_mode):
            raise TargetIsFolder(f"{self._path}: is a folder")
        if self._if_exists == "fail":
            raise Exists(f"{self._path}: exists already")
        return status

    def _has_its_name(self, folder: int) -> bool:
        """Return whether an earlier call of `commit` has given this file its final name, whatever that call raised."""
        if not self._committing or self._identity is None:
            return False
        try:
            status = self._system.status(self._name, folder)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _rename(self, folder: int) -> None:
        self._committing = True
        if self._if_exists == "replace":
            self._system.rename(self._hidden, self._name, folder)
            self._made = False
            return
        # A link fails when the name is taken, which a rename would not; the temporary name is removed after it.
        try:
            self._made = link_or_rename(self._system, self._hidden, folder, self._name, folder)
        except OSError:
            # A network file system may carry out a call and lose its answer.
            if not self._has_its_name(folder):
                raise

    def _check_owner(self, descriptor: int) -> None:
        """Raise NotFound where this process was stopped and the file has another name by now.

        Another process has gone on with it after a lease: what is delivered is not written any more.
        """
        if not self._pauses.passed() or self._folder is None:
            return
        with destination_errors(self._path):
            try:
                found = _inode(self._system.status(self._hidden, self._folder))
            except FileNotFoundError:
                found = None
            if found != _inode(self._system.status_of(descriptor)):
                # A file of that name is not ours to be removed.
                self._made = False
                raise NotFound(f"{self._path}: the unfinished file was removed, or delivered by another process")

    def _is_anothers(self, folder: int) -> bool:
        """Return whether another owner of the token has made a file under the temporary name since the seal."""
        try:
            status = self._system.status(self._hidden, folder)
        except FileNotFoundError:
            return False
        # An inode may be used again; its time of change is not.
        return self._identity is not None and (*self._identity, self._changed_ns) != (
            status.st_dev, status.st_ino, status.st_ctime_ns,
        )  # fmt: skip

    def _remove_temporary(self, folder: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._system.remove(self._hidden, folder)
        self._made = False


def sync_folder(system: System, folder: int) -> None:
    """Make the names of a folder durable, where its file system has a call for that."""
    try:
        system.sync(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def renamed_to_free(system: System, name: str, folder: int, target: str, target_folder: int) -> bool:
    """Rename a file to a name that must be free; return False where no rename can be kept from replacing a file."""
    try:
        system.rename_to_free(name, target, folder, target_folder)
    except OSError as error:
        if error.errno not in _NO_EXCLUSIVE_RENAME:
            raise
        return False
    return True


def link_or_rename(system: System, name: str, folder: int, target: str, target_folder: int) -> bool:
    """Give a file a name that must be free; return whether it still has the former one too.

    It is renamed by one call where the file system can keep that from replacing a file, else linked. Where there are no
    hard links either, a file that came since the caller looked is replaced whole.
    """
    if renamed_to_free(system, name, folder, target, target_folder):
        return False
    try:
        system.link(name, target, folder, target_folder)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        system.rename(name, target, folder, target_folder)
        return False
    return True


def _inode(status: stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"
