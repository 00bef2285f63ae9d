"""Allocate the blocks of SQLite's shared memory file before SQLite maps it.

SQLite writes one byte in each 4 KiB of the file `-shm` and maps it. Where the blocks of a file system are smaller, the
other blocks of the 4 KiB are holes: on a full disk a write to the map has no block to go to, and the kernel ends the
process with SIGBUS.
"""

import errno
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from mft_common.process import file_locks

# SQLite locks this byte while it uses the file, and clears the file where no process holds the lock (UNIX_SHM_DMS of
# its os_unix.c). The lock here is one more of the same kind.
_IN_USE_BYTE: Final = 128
# One 32 KiB region for each 16 MiB of the write-ahead log.
_SIZE: Final = 256 * 1024
_WAIT_S: Final = 10.0
_POLL_S: Final = 0.001

# The open descriptor of each allocated file. It is not closed while SQLite may use the file: closing any descriptor of
# a file ends all POSIX locks that the process holds on it, those of SQLite among them.
_descriptors: dict[Path, int] = {}
_guard = threading.Lock()


def allocate(database: str) -> None:
    """Allocate the shared memory file of a database that is about to be opened.

    sqlite3.OperationalError where the disk has no room for it, as SQLite itself would raise.
    """
    path = Path(f"{database}-shm").absolute()
    with _guard:
        if _is_current(path):
            return
        _close_removed()
        try:
            _descriptors[path] = _allocated(path)
        except OSError as error:
            failure = sqlite3.OperationalError(f"cannot allocate {path.name}: {error.strerror}")
            failure.sqlite_errorcode = sqlite3.SQLITE_FULL if error.errno == errno.ENOSPC else sqlite3.SQLITE_IOERR
            raise failure from error


def _allocated(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        if file_locks.acquire(descriptor, start=_IN_USE_BYTE, length=1):
            # No process uses the file: after a power cut its content can be anything.
            os.ftruncate(descriptor, 0)
            os.posix_fallocate(descriptor, 0, _SIZE)
        _lock_shared(descriptor)
        os.posix_fallocate(descriptor, 0, _SIZE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _lock_shared(descriptor: int) -> None:
    """Lock the file as one of its users; wait while another process clears it, which takes a moment."""
    deadline, pause = time.monotonic() + _WAIT_S, threading.Event()
    while not file_locks.acquire(descriptor, start=_IN_USE_BYTE, length=1, shared=True):
        if time.monotonic() > deadline:
            raise OSError(errno.EAGAIN, "another process does not let go of it")
        pause.wait(_POLL_S)


def _close_removed() -> None:
    """Close the descriptors of files that were removed: SQLite does that when the last connection is closed."""
    for path in [path for path in _descriptors if not _is_current(path)]:
        os.close(_descriptors.pop(path))


def _is_current(path: Path) -> bool:
    """Return whether the file that was allocated at `path` is still there."""
    descriptor = _descriptors.get(path)
    if descriptor is None:
        return False
    try:
        found = path.stat()
    except OSError:
        return False
    held = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)
