"""Decide whether a worker is the only one of its database."""

import os
from pathlib import Path
from typing import Protocol

from mft_common.errors import MftError
from mft_common.process import file_locks


class WorkerLock(Protocol):
    """Acquired by a worker before it recovers jobs, released when it ends."""

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
        if not file_locks.acquire(descriptor):
            os.close(descriptor)
            raise MftError("another worker runs the jobs of this database")
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, owner.encode(), 0)
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def owner(self) -> str:
        """Return the name of the worker that holds the lock; MftError when none does."""
        try:
            with self._path.open("rb") as file:
                owner = file.read().decode()
                if file_locks.is_held(file.fileno()):
                    return owner
        except FileNotFoundError:
            pass
        raise MftError("no worker runs")
