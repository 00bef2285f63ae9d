"""Wrap the system calls of the file endpoint, so that tests can let each of them fail."""

import os
from collections.abc import Iterator

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK keeps a pipe that someone laid in the folder from holding us for ever; regular files do not mind it.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


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
        """Make a new file; it must not exist."""
        return os.open(name, _CREATE, 0o666, dir_fd=folder)

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

    def write(self, descriptor: int, block: bytes | memoryview) -> int:
        """Write some of `block` and return how much."""
        return os.write(descriptor, block)

    def sync(self, descriptor: int) -> None:
        """Wait until a file or folder is on the disk."""
        os.fsync(descriptor)

    def rename(self, name: str, target: str, folder: int) -> None:
        """Rename a file in one step; it replaces a file of that name."""
        os.rename(name, target, src_dir_fd=folder, dst_dir_fd=folder)

    def link(self, name: str, target: str, folder: int) -> None:
        """Give a file a second name that must be free."""
        os.link(name, target, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)

    def remove(self, name: str, folder: int) -> None:
        """Remove a name."""
        os.unlink(name, dir_fd=folder)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)


SYSTEM = System()
