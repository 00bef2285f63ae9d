"""Hold the blobs of running downloads, so that no sweeper deletes them before the downloads are over (S15)."""

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from filestore_svc.store import reads
from filestore_svc.store.commits import Commits
from filestore_svc.store.processes import Processes

# A blob is deleted a minute after its file at the earliest: most downloads are over before they need a row.
_AFTER_S: Final = 1.0
_LEASE_MS: Final = 120_000
_RENEW_S: Final = 20.0


class OpenReads:
    """The blobs that this process is reading.

    `needed` is False where an open blob can be read to its end after it was deleted; nothing is written then. `flush`
    is called several times a second. It writes a row for each blob that has been open for a second, and removes the
    rows of those that are no longer open.
    """

    def __init__(self, commits: Commits, processes: Processes, *, needed: bool) -> None:
        self._commits = commits
        self._processes = processes
        self._needed = needed
        self._lock = threading.Lock()
        self._open: Counter[int] = Counter()
        self._since: dict[int, float] = {}
        self._held: set[int] = set()
        self._renewed = 0.0

    def begin(self, fileset: int) -> Callable[[], None]:
        """Note that a blob was opened; return what notes that it was closed."""
        if not self._needed:
            return _nothing
        with self._lock:
            self._open[fileset] += 1
            self._since.setdefault(fileset, time.monotonic())
        return functools.partial(self._end, fileset)

    def _end(self, fileset: int) -> None:
        with self._lock:
            self._open[fileset] -= 1
            if not self._open[fileset]:
                del self._open[fileset], self._since[fileset]

    def flush(self, after: float = _AFTER_S) -> None:
        """Write which blobs have been open for `after` seconds, where that has changed; renew the leases in time."""
        if not self._needed:
            return
        now = time.monotonic()
        with self._lock:
            long_open = {fileset for fileset, since in self._since.items() if now - since >= after}
            still_open = set(self._since)
        new, gone = long_open - self._held, self._held - still_open
        renewing = bool(self._held) and now - self._renewed >= _RENEW_S
        if not (new or gone or renewing):
            return
        kept = (self._held - gone) | new
        lease = self._processes.now() + _LEASE_MS

        def work(connection: sa.Connection) -> None:
            reads.lock(connection)
            reads.remove(connection, self._processes.own, gone)
            reads.add(connection, self._processes.own, new, lease)
            if reads.renew(connection, self._processes.own, lease) < len(kept):
                # This process was late, and its rows were removed as those of a dead one.
                reads.add(connection, self._processes.own, kept, lease)

        self._commits.run(work)
        self._held, self._renewed = kept, now

    def release_dead(self) -> int:
        """Remove the rows of dead processes; return of how many processes."""
        before = None if self._processes.local else self._processes.now()
        dead = {row.process for row in self._processes.abandoned(self._commits.database, reads.owned)}
        if dead:
            self._commits.run(functools.partial(reads.forget, processes=dead, before=before))
        return len(dead)

    def close(self) -> None:
        """Remove the rows of this process."""
        with self._lock:
            self._open.clear()
            self._since.clear()
        self.flush()


def _nothing() -> None:
    """Note nothing."""
