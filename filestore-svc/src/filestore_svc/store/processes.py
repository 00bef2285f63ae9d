"""Tell which processes of this service are alive, so that what dead ones left open can be ended."""

import contextlib
import os
import secrets
from pathlib import Path

from mft_common.process import file_locks


class Processes:
    """Gives this process an id and holds a lock on a file of that name; the system lets go of it when we die.

    `folder` is None where processes run on several machines: then only their leases tell.
    """

    def __init__(self, folder: Path | None) -> None:
        self.own = secrets.token_hex(16)
        self._folder = folder
        self._descriptor = -1
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = _made_and_held(folder / self.own)

    @property
    def local(self) -> bool:
        """True where all processes of this service run on this machine."""
        return self._folder is not None

    def dead(self, process: str) -> bool:
        """True when that process ran on this machine and is surely gone; forgets it then."""
        if self._folder is None or process == self.own:
            return False
        try:
            descriptor = os.open(self._folder / process, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            return not file_locks.is_held(descriptor)
        finally:
            os.close(descriptor)

    def forget_dead(self) -> None:
        """Remove the files of dead processes, once what they left open is ended."""
        for path in self._folder.iterdir() if self._folder else ():
            if self.dead(path.name):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the lock: from here on this process counts as dead."""
        if self._folder is not None and self._descriptor >= 0:
            with contextlib.suppress(FileNotFoundError):
                (self._folder / self.own).unlink()
            os.close(self._descriptor)
            self._descriptor = -1


def _made_and_held(path: Path) -> int:
    """Make a file and lock it; made anew where somebody took it for a dead process's before it was locked."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        file_locks.acquire(descriptor)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)
