"""Tell a worker whether it is the only one of its database."""

import os
from pathlib import Path
from typing import Protocol

from mft_common.errors import MftError
from mft_common.process import file_locks


class Company(Protocol):
    """What a worker asks before it recovers, and tells when it goes."""

    def enter(self, owner: str) -> bool:
        """Return whether no other worker can be alive; raise MftError where one is that must not have company."""
        ...

    def leave(self) -> None:
        """Let the next one in."""
        ...


class OneOfMany:
    """With PostgreSQL there can be any number of workers, and leases decide who is dead."""

    def enter(self, owner: str) -> bool:
        """Say that others may be alive."""
        del owner
        return False

    def leave(self) -> None:
        """Nothing is held."""


class OnlyOne:
    """The one worker of a SQLite database: it holds a lock that the kernel takes away with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def enter(self, owner: str) -> bool:
        """Take the lock, or raise MftError while another worker has it; leave the owner's name in the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not file_locks.acquire(descriptor):
            os.close(descriptor)
            raise MftError("another worker runs the jobs of this database")
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, owner.encode(), 0)
        return True

    def leave(self) -> None:
        """Let go of the lock."""
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
