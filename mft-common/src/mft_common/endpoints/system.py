"""Wrap the system calls of the file endpoint, so that tests can let each of them fail."""

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from typing import Any, Final

from mft_common.page_cache import WRITE_AT_ONCE

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK keeps a pipe that someone laid in the folder from holding us for ever; regular files do not mind it.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_START_WRITING: Final = 2
_NO_REPLACE: Final = 1


def _function(name: str, *types: Any) -> Any | None:
    """Return a function of the C library, None where it has none of that name."""
    with contextlib.suppress(OSError, AttributeError):
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
        function.argtypes = types
        return function
    return None


_SYNC_FILE_RANGE: Final = _function("sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_RENAMEAT2: Final = _function("renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)


class System:
    """The real operating system. All names are relative to a folder's descriptor, and no link is ever followed."""

    def open_root(self, path: str) -> int:
        """Open a folder that the operator named, links in its path included."""
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open_folder(self, name: str, folder: int) -> int:
        """Open a folder inside another."""
        return os.open(name, _FOLDER, dir_fd=folder)

    def make_folder(self, name: str, folder: int) -> None:
        """Make a folder inside another."""
        os.mkdir(name, dir_fd=folder)

    def open_read(self, name: str, folder: int) -> int:
        """Open a file for reading."""
        return os.open(name, _READ, dir_fd=folder)

    def create(self, name: str, folder: int) -> int:
        """Make a new file for writing and reading; it must not exist."""
        return os.open(name, _CREATE, 0o666, dir_fd=folder)

    def open_write(self, name: str, folder: int) -> int:
        """Open a file that exists for writing and reading."""
        return os.open(name, _WRITE, dir_fd=folder)

    def duplicate(self, descriptor: int) -> int:
        """Return another descriptor of the same open file or folder."""
        return os.dup(descriptor)

    def status(self, name: str, folder: int) -> os.stat_result:
        """Return the status of a name itself."""
        return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def status_of(self, descriptor: int) -> os.stat_result:
        """Return the status of an open file or folder."""
        return os.fstat(descriptor)

    def names(self, folder: int) -> Iterator[str]:
        """Yield the names in a folder, in no order."""
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry.name

    def read(self, descriptor: int, size: int) -> bytes:
        """Read at most `size` bytes."""
        return os.read(descriptor, size)

    def read_at(self, descriptor: int, size: int, position: int) -> bytes:
        """Read at most `size` bytes from the byte `position` on."""
        return os.pread(descriptor, size, position)

    def read_into(self, descriptor: int, buffer: memoryview, position: int) -> int:
        """Fill `buffer` from the byte `position` on; return how many bytes there were."""
        return os.preadv(descriptor, [buffer], position)

    def seek(self, descriptor: int, position: int) -> None:
        """Go on at the byte `position`."""
        os.lseek(descriptor, position, os.SEEK_SET)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file to `size` bytes."""
        os.ftruncate(descriptor, size)

    def set_modified(self, descriptor: int, modified_at: int) -> None:
        """Set the time of the last change, in milliseconds."""
        os.utime(descriptor, ns=(modified_at * 1_000_000, modified_at * 1_000_000))

    def start_writing(self, descriptor: int, position: int, size: int) -> None:
        """Let the kernel begin to write these bytes to the disk, without waiting; errors show in `sync`."""
        if _SYNC_FILE_RANGE is not None:
            _SYNC_FILE_RANGE(descriptor, position, size, _START_WRITING)

    def write(self, descriptor: int, block: bytes | memoryview) -> int:
        """Write some of `block` and return how much."""
        return os.write(descriptor, block[:WRITE_AT_ONCE])

    def sync(self, descriptor: int) -> None:
        """Wait until a file or folder is on the disk."""
        os.fsync(descriptor)

    def rename(self, name: str, target: str, folder: int, target_folder: int | None = None) -> None:
        """Rename a file in one step, into another folder where one is given; it replaces a file of that name."""
        os.rename(name, target, src_dir_fd=folder, dst_dir_fd=folder if target_folder is None else target_folder)

    def rename_to_free(self, name: str, target: str, folder: int, target_folder: int) -> None:
        """Rename a file in one step to a name that must be free; not every file system and C library can do that."""
        if _RENAMEAT2 is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        if _RENAMEAT2(folder, os.fsencode(name), target_folder, os.fsencode(target), _NO_REPLACE):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def link(self, name: str, target: str, folder: int, target_folder: int | None = None) -> None:
        """Give a file a second name that must be free, in another folder where one is given."""
        into = folder if target_folder is None else target_folder
        os.link(name, target, src_dir_fd=folder, dst_dir_fd=into, follow_symlinks=False)

    def remove(self, name: str, folder: int) -> None:
        """Remove a name."""
        os.unlink(name, dir_fd=folder)

    def remove_folder(self, name: str, folder: int) -> None:
        """Remove an empty folder."""
        os.rmdir(name, dir_fd=folder)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)


SYSTEM = System()
