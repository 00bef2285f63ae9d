"""Scan all watched folders of a service, in one of its workers."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.database import Database
from mft_common.database.leases import Lease, LeaseLost, Leases
from mft_common.errors import Unavailable
from mft_common.process.background_tasks import BackgroundTask
from mft_common.watching.contract import Listing, Watch
from mft_common.watching.folder_scan import FolderScan, Store
from mft_common.watching.lease_renewal import LeaseRenewal
from mft_common.watching.memory import Memory
from mft_common.watching.watch_state import WatchState

_TTL_S: Final = 15.0
_LOOK_S: Final = 1.0
# Scans that are due within this time are made together: each wake-up of the thread costs as much as several scans.
_SHORTEST_WAIT_S: Final = 0.1
_SCANS_BESIDE: Final = 8
# Folders whose last scan failed leave the other half of the threads to those that can be listed.
_FAILING_BESIDE: Final = 4


class Watcher:
    """Scans the folders of `definitions(connection)`, each for all of its watches.

    Of several workers the one that holds the lease `watching/NAME` scans; every write names it, and a thread renews it,
    however long a scan takes. Definitions are read anew when the revision of `memory` has changed, within a second.
    `listing(folder)` opens a folder by the name that its watches give; a far or slow one is scanned by a thread of its
    own, and of these threads folders whose last scan failed have at most half. `wake` and `close` may be called from
    any thread.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        memory: Memory,
        leases: Leases,
        *,
        definitions: Callable[[sa.Connection], Iterable[Watch]],
        listing: Callable[[str], Listing],
        owner: str,
        ttl: float = _TTL_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = f"watching/{name}"
        self._database = database
        self._memory = memory
        self._leases = leases
        self._definitions = definitions
        self._listing = listing
        self._owner = owner
        self._ttl = ttl
        self._now = now
        self._lease: Lease | None = None
        self._renewal: LeaseRenewal | None = None
        self._looked_at: float | None = None
        self._revision = -1
        self._scans: dict[str, FolderScan] = {}
        self._running: dict[str, Future[None]] = {}
        self._pool = ThreadPoolExecutor(_SCANS_BESIDE, thread_name_prefix=f"watch-{name}")
        self._awake = threading.Event()

    def wake(self, folder: str) -> bool:
        """Scan a folder as soon as possible: something may have changed in it. False where another worker scans it."""
        if (scan := self._scans.get(folder)) is None:
            return False
        scan.wake()
        self._awake.set()
        return True

    def wake_any(self, connection: sa.Connection, *folders: str) -> None:
        """Wake the scans of folders, whichever worker makes them: another one learns it by this transaction's commit.

        See `Memory.wake` for the place of this among the changes of the transaction.
        """
        self._memory.wake(connection, *(folder for folder in folders if not self.wake(folder)))

    def step(self) -> float:
        """Scan every folder that is due; return the seconds until the next one is. Unavailable without a database."""
        now = self._now()
        if not self._owns():
            return _LOOK_S
        if self._looked_at is None or now - self._looked_at >= _LOOK_S:
            self._look()
            self._looked_at = now
        try:
            self._end_scans()
            due = [(scan.due, folder) for folder, scan in self._scans.items() if scan.due <= now]
            for _, folder in sorted(due):
                scan = self._scans[folder]
                if folder not in self._running and self._has_room(scan):
                    self._scan(folder, scan)
                    if not self._owns():
                        return _LOOK_S
            self._end_scans()
        except LeaseLost:
            self._let_go()
            return _LOOK_S
        ready: Iterable[FolderScan] = self._scans.values()
        if self._running:
            # A scan that waits for a thread is woken by the end of another one.
            others = self._scans.items()
            ready = [scan for folder, scan in others if folder not in self._running and self._has_room(scan)]
        return max(min(min((scan.due for scan in ready), default=now + _LOOK_S) - self._now(), _LOOK_S), 0.0)

    def run(self, stop: threading.Event) -> None:
        """Scan until `stop` is set."""
        try:
            while not stop.is_set():
                # A wake-up ends the wait; `stop` is looked at once a second.
                self._awake.wait(max(self.step(), _SHORTEST_WAIT_S))
                self._awake.clear()
        finally:
            self.release()

    def release(self) -> None:
        """Give the lease back, so that another worker goes on at once; a scan that still runs writes nothing more."""
        lease = self._lease
        self._let_go()
        if lease is not None:
            with suppress(Unavailable), self._database.write() as connection:
                self._leases.release(connection, lease)

    def close(self) -> None:
        """End the scans and give the lease back."""
        self.release()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _end_scans(self) -> None:
        for folder, future in list(self._running.items()):
            if future.done():
                del self._running[folder]
                future.result()

    def _has_room(self, scan: FolderScan) -> bool:
        """Return whether a scan can begin at once: far sides that are silent hold up no others."""
        if not scan.is_slow:
            return True
        failing = sum(folder in self._scans and self._scans[folder].is_failing for folder in self._running)
        return len(self._running) < _SCANS_BESIDE and not (scan.is_failing and failing >= _FAILING_BESIDE)

    def _scan(self, folder: str, scan: FolderScan) -> None:
        if not scan.is_slow:
            scan.scan()
            return
        future = self._pool.submit(scan.scan)
        self._running[folder] = future
        future.add_done_callback(lambda _: self._awake.set())

    def _owns(self) -> bool:
        """Return whether this worker has the lease; claim it where it has none."""
        if self._renewal is None:
            with self._database.write() as connection:
                self._lease = self._leases.claim(connection, self._key, self._owner, self._ttl)
            if self._lease is None:
                return False
            self._renewal = LeaseRenewal(self._database, self._leases, self._lease)
        elif self._renewal.lost.is_set():
            logs.get("watching").warning("watching.lease_lost", lease=self._key)
            self._let_go()
            return False
        return True

    def _let_go(self) -> None:
        """Forget everything that another worker may change now. A scan that runs keeps the lease that is over."""
        if self._renewal is not None:
            self._renewal.stop()
            self._renewal = None
        self._lease = None
        for scan in self._scans.values():
            scan.listing.close()
        self._scans = {}
        self._running = {}
        self._revision = -1
        self._looked_at = None

    def _look(self) -> None:
        """Read the definitions where any of them has changed, and wake the scans that other workers ask for."""
        with self._database.read() as connection:
            woken = self._memory.has_woken(connection)
            revision = self._memory.revision(connection)
        if revision != self._revision:
            self._redefine()
        if woken:
            # Deleted before the scans begin: what is stored after that wakes them again.
            with self._database.write() as connection:
                folders = self._memory.take_woken(connection)
            for folder in folders:
                self.wake(folder)

    def _redefine(self) -> None:
        with self._database.read() as connection:
            revision = self._memory.revision(connection)
            # A definition that changes after this has a later generation than the one that its scan names.
            generations = self._memory.generations(connection)
            watches = [watch for watch in self._definitions(connection) if watch.key in generations]
        self._replace(watches, generations)
        self._revision = revision

    def _replace(self, watches: list[Watch], generations: dict[str, int]) -> None:
        known = {state.watch.key: state for scan in self._scans.values() for state in scan.states}
        folders: dict[str, list[WatchState]] = {}
        changed = set()
        for watch in watches:
            generation, former = generations[watch.key], known.get(watch.key)
            if former is not None and former.generation == generation and former.watch.folder == watch.folder:
                state = former
            else:
                state = WatchState(watch, generation)
                changed.add(watch.folder)
            folders.setdefault(watch.folder, []).append(state)
        for folder in self._scans.keys() - folders.keys():
            self._scans.pop(folder).listing.close()
        assert self._lease is not None
        store = Store(self._database, self._memory, self._leases, self._lease)
        for folder, states in folders.items():
            if folder not in self._scans:
                self._scans[folder] = FolderScan(self._listing(folder), store, self._now)
            if folder in changed or len(states) != len(self._scans[folder].states):
                self._scans[folder].replace(states)


def watcher_task(name: str, watcher: Watcher) -> BackgroundTask:
    """Return the task of a worker that scans until it is stopped."""
    return BackgroundTask(name, watcher.run)
