"""Tell which processes of this service are alive, so that others can end the work of dead ones."""

import contextlib
import os
import secrets
from pathlib import Path

from filestore_svc.store.owned_rows import Owned, OwnedRows
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.process import file_locks


class Processes:
    """Gives this process an id and holds a lock on a file of that name; the system releases it when the process dies.

    `folder` is None where processes run on several machines: then leases decide which process counts as dead. `now` is
    the clock of all leases, which those machines must share: that of the database.
    """

    def __init__(self, folder: Path | None, now: Clock) -> None:
        self.now = now
        self.own = secrets.token_hex(16)
        self._folder = folder
        self._descriptor = -1
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = _create_and_lock(folder / self.own)

    @property
    def local(self) -> bool:
        """Return whether all processes of this service run on this machine."""
        return self._folder is not None

    def lapsed(self, process: str, lease_until: int, now: int) -> bool:
        """Return whether the work of a process may be taken over; "" names none."""
        if not process:
            return True
        return self.dead(process) if self.local else lease_until < now

    def abandoned(self, database: Database, rows: OwnedRows) -> list[Owned]:
        """Return the rows whose work may be taken over."""
        # Before the rows are read: none that is renewed meanwhile may seem to have lapsed.
        now = self.now()
        with database.read() as connection:
            found = rows.all(connection)
        return [row for row in found if self.lapsed(row.process, row.lease_until, now)]

    def dead(self, process: str) -> bool:
        """Return whether that process ran on this machine and has ended."""
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
        """Remove the lock files of dead processes, after their work was ended."""
        for path in self._folder.iterdir() if self._folder else ():
            if self.dead(path.name):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock: from here on this process counts as dead."""
        if self._folder is not None and self._descriptor >= 0:
            with contextlib.suppress(FileNotFoundError):
                (self._folder / self.own).unlink()
            os.close(self._descriptor)
            self._descriptor = -1


def _create_and_lock(path: Path) -> int:
    """Create a file and lock it; repeat where another process removed it as a dead one's before it was locked."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        file_locks.acquire(descriptor)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)
