"""Decide whether a worker is the only one of its database."""

import os
from pathlib import Path
from typing import Final, Protocol

from mft_common.errors import MftError
from mft_common.process import file_locks

# Bytes far behind the name that the file holds: the first is locked by the worker, the second once its name is written.
WORKER_BYTE: Final = 1 << 40
_NAMED_BYTE: Final = WORKER_BYTE + 1


class WorkerLock(Protocol):
    """Acquired by a worker before it recovers the work of dead ones, released when it ends."""

    def acquire(self, owner: str) -> bool:
        """Return True when no other worker can be alive; MftError where another one holds an exclusive lock."""
        ...

    def release(self) -> None:
        """Release the lock."""
        ...


class Shared:
    """The lock of PostgreSQL's workers: any number may run, and their leases decide which of them are dead."""

    def acquire(self, owner: str) -> bool:
        """Return False: other workers may be alive."""
        del owner
        return False

    def release(self) -> None:
        """Do nothing: no lock is held."""


class Exclusive:
    """The lock of the one worker of a SQLite database: an flock, which the kernel releases with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, owner: str) -> bool:
        """Lock the file and write the owner's name into it; MftError while another worker holds the lock."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not file_locks.acquire(descriptor, start=WORKER_BYTE, length=1):
            os.close(descriptor)
            raise MftError("another worker runs the work of this database")
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, owner.encode(), 0)
            # No other file can hold it: this one has the worker's byte.
            file_locks.acquire(descriptor, start=_NAMED_BYTE, length=1)
        except BaseException:
            # A lock that is left behind, on a full disk for one, would refuse this process's next try too.
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def owner(self) -> str:
        """Return the name of the worker that holds the lock; MftError when none does, or its name is not written yet.

        The lock is looked at before the name is read: the file holds the name of a dead worker until then, whose lease
        may still last.
        """
        try:
            with self._path.open("rb") as file:
                if file_locks.is_held(file.fileno(), start=_NAMED_BYTE, length=1):
                    return file.read().decode()
        except FileNotFoundError:
            pass
        raise MftError("no worker runs")
