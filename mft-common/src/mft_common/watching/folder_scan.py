"""Scan one folder for all of its watches, and hand each file over once it has settled."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.backoff import pause_after
from mft_common.database import Database
from mft_common.database.leases import Lease, LeaseLost, Leases
from mft_common.database.transient import is_transient
from mft_common.errors import Unavailable
from mft_common.watching.absences import Absences
from mft_common.watching.contract import Found, Later, Listing
from mft_common.watching.memory import Memory, Superseded, digest
from mft_common.watching.sightings import NO_FILE, OCCUPIED, VACANCY, VACANT, Sighting, Sightings
from mft_common.watching.watch_state import WatchState

_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 300.0
# A folder without a watch is looked at this often. Scans that find something, and those of a folder whose modification
# time stays the same, take at most these shares of the time.
_IDLE_S: Final = 10.0
_SHARE: Final = 2
_SLOW_SHARE: Final = 40
# A folder whose listing takes longer is scanned beside the others.
_LONG_S: Final = 0.1
# After this many files that failed by themselves the others wait for the next scan.
_FAILURES_OF_SCAN: Final = 8
# Clocks differ in their last digits; a scan that is due when a file settles must not come too early by them.
_MARGIN_S: Final = 0.002


@dataclass(frozen=True)
class Store:
    """The memory that scans write, and the lease of those who made them, without which they write nothing."""

    database: Database
    memory: Memory
    leases: Leases
    lease: Lease


class FolderScan:
    """One folder. Its scans follow one another; `due` is the time of the next one by the clock `now`, in seconds."""

    def __init__(self, listing: Listing, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self.listing = listing
        self.states: Sequence[WatchState] = ()
        self.due = 0.0
        self._store = store
        self._now = now
        self._sightings: dict[bytes, Sighting] = {}
        self._absences = Absences()
        self._wanted = True
        # Whether the pauses of a Later end with the next scan.
        self._woken = False
        self._listed_at = 0.0
        self._listing_s = 0.0
        self._failures = 0

    @property
    def is_failing(self) -> bool:
        """Whether the last scan could not be made."""
        return self._failures > 0

    @property
    def is_slow(self) -> bool:
        """Whether a scan may take so long that it must not hold up those of other folders."""
        return self.listing.remote or self._listing_s > _LONG_S

    def replace(self, states: Iterable[WatchState]) -> None:
        """Use other watches from the next scan on; the store refuses what a running scan hands over for former ones."""
        self.states = tuple(states)
        self.wake()

    def wake(self) -> None:
        """Let the next scan list the folder, whatever its modification time is, and be due at once."""
        self._woken = True
        self._wanted = True
        self.due = 0.0

    def scan(self) -> None:
        """List the folder where it may have changed, and hand over what has settled.

        Unavailable and LeaseLost are raised. Every other error is logged, and the folder is scanned again later.
        """
        began = self._now()
        states = self.states
        self.due = began + min((state.watch.interval for state in states), default=_IDLE_S)
        wanted, self._wanted = self._wanted, False
        if self._woken:
            self._woken = False
            for state in states:
                state.later_until = min(state.later_until, began)
        if not wanted and not self._sightings and began < self._slow_at() and self.listing.unchanged():
            return
        try:
            self._load(states)
            result = self._list(states, began)
        except Exception as error:
            if is_transient(error):
                raise
            self._fail(states, error)
            return
        self._failures = 0
        quiet = not wanted and not result.sightings
        self._sightings = result.sightings
        self._listed_at, self._listing_s = began, self._now() - began
        for position, (state, files) in enumerate(zip(states, result.ready, strict=True)):
            if state.watch.vacancy:
                self._hand_over_vacancy(state, began, occupied=position in result.occupied)
            else:
                self._hand_over(state, files)
        if self.listing.complete:
            self._forget(states, result.present, began)
        self.due = self._next(states, quiet=quiet)
        if self._wanted:
            # A wake-up that came while the time was set.
            self.due = 0.0

    def _slow_at(self) -> float:
        relist = min((state.watch.relist for state in self.states), default=_IDLE_S)
        return self._listed_at + max(relist, self._listing_s * _SLOW_SHARE)

    def _next(self, states: Sequence[WatchState], *, quiet: bool) -> float:
        """Return when to scan again: after the interval, or earlier where a file settles before.

        After a `quiet` scan, which found nothing new, the next one is no later for having taken long, where a folder
        tells by its modification time whether it has to be listed.
        """
        if self._wanted:
            return 0.0
        now = self._now()
        if self._sightings and states and (later := min(state.later_until for state in states)) > now:
            return later
        pause = min((state.watch.interval for state in states), default=_IDLE_S)
        if self._sightings and states:
            settle = min(state.watch.settle for state in states)
            settled = min(sighting.since for sighting in self._sightings.values()) + settle + _MARGIN_S
            pause = min(pause, max(settled - now, _MARGIN_S)) if settled > now else pause
        rest = 0.0 if quiet and self.listing.tells_changes else self._listing_s * _SHARE
        return now + max(pause, rest)

    def _load(self, states: Sequence[WatchState]) -> None:
        for state in states:
            if state.handled is None:
                with self._store.database.read() as connection:
                    state.handled = self._store.memory.load(connection, state.watch.key)

    def _list(self, states: Sequence[WatchState], began: float) -> Sightings:
        result = Sightings(ready=[[] for _ in states])
        depth: int | None = 0
        for state in states:
            depth = None if depth is None or state.watch.depth is None else max(depth, state.watch.depth)
        open_now = [state.watch.is_open() and began >= max(state.retry_at, state.later_until) for state in states]
        for found in self.listing.files(depth=depth):
            name, identity = digest(found.path), digest(found.identity)
            result.present.add(name)
            waiting = []
            for position, state in enumerate(states):
                if (state.handled or {}).get(name) == identity or not state.watch.matches(found):
                    continue
                if state.watch.vacancy:
                    result.occupied.add(position)
                else:
                    waiting.append(position)
            if not waiting:
                continue
            sighting = self._observe(name, identity)
            result.sightings[name] = sighting
            for position in waiting:
                watch = states[position].watch
                # The time of this look is that of the scan's begin, that of the first look was taken after it.
                settled = began - sighting.since >= watch.settle and sighting.looks >= watch.looks
                if not open_now[position] or states[position].is_paused(name, identity, began):
                    continue
                if settled or (watch.settle == 0 and watch.looks <= 1):
                    result.ready[position].append((name, identity, found))
        result.sort()
        return result

    def _observe(self, name: bytes, identity: bytes) -> Sighting:
        known = self._sightings.get(name)
        if known is None or known.identity != identity:
            return Sighting(identity, self._now(), 1)
        known.looks += 1
        return known

    def _hand_over(self, state: WatchState, files: Sequence[tuple[bytes, bytes, Found]]) -> None:
        """Hand files over in batches; a batch that fails is halved until the files that fail are alone."""
        size = max(state.watch.batch, 1)
        fresh = [one for one in files if one[0] not in state.failed]
        waiting = deque(fresh[begin : begin + size] for begin in range(0, len(fresh), size))
        waiting.extend([one] for one in files if one[0] in state.failed)
        handled = failed = 0
        while waiting and failed < _FAILURES_OF_SCAN:
            part = waiting.popleft()
            try:
                self._hand_over_part(state, part)
                handled += 1
            except (LeaseLost, Unavailable):
                raise
            except Superseded:
                # The next look at the definitions brings the new one.
                return
            except Later as error:
                state.defer(error, self._now())
                return
            except Exception as error:
                if is_transient(error):
                    raise
                if len(part) > 1:
                    middle = len(part) // 2
                    waiting.extendleft((part[middle:], part[:middle]))
                    continue
                failed += 1
                name, identity, found = part[0]
                state.note_failure(name, identity, found, error, self._now())
        if handled:
            state.failures, state.later_until = 0, 0.0
        elif fresh and failed == _FAILURES_OF_SCAN:
            # Files that failed before prove nothing about the handler when they fail again.
            state.pause(self._now())

    def _hand_over_vacancy(self, state: WatchState, began: float, *, occupied: bool) -> None:
        """Remember whether any file of a watch is there; where that has just ended, hand over that none is."""
        identity = OCCUPIED if occupied else VACANT
        if (state.handled or {}).get(VACANCY) == identity or not (occupied or self.listing.complete):
            return
        if state.watch.is_open() and began >= state.retry_at and not state.is_paused(VACANCY, identity, began):
            self._hand_over(state, [(VACANCY, identity, NO_FILE)])

    def _hand_over_part(self, state: WatchState, files: Sequence[tuple[bytes, bytes, Found]]) -> None:
        rows = {name: identity for name, identity, _ in files}
        watch, memory = state.watch, self._store.memory
        with self._store.database.write() as connection:
            watch.lock(connection)
            self._hold(connection, state)
            new = memory.mark(connection, watch.key, rows, clock.now_ms())
            chosen = [found for name, _, found in files if name in new and name != VACANCY]
            if chosen or (new and rows.get(VACANCY) == VACANT):
                watch.handle(connection, chosen)
        assert state.handled is not None
        state.handled.update(rows)
        for name in rows:
            state.failed.pop(name, None)
        others = [one for one in self.states if one is not state]
        for name, identity, found in files:
            if not any((one.handled or {}).get(name) != identity and one.watch.matches(found) for one in others):
                self._sightings.pop(name, None)

    def _hold(self, connection: sa.Connection, state: WatchState) -> None:
        self._store.leases.hold(connection, self._store.lease)
        self._store.memory.hold(connection, state.watch.key, state.generation)

    def _forget(self, states: Sequence[WatchState], present: set[bytes], at: float) -> None:
        """Forget the names that are gone, so that memory does not grow with the files that came and went."""
        for state in states:
            for name in state.failed.keys() - present - {VACANCY}:
                del state.failed[name]
        known = set().union(*(state.handled or () for state in states)) - {VACANCY}
        if not (gone := self._absences.note(known, present, self.listing.root, at)):
            return
        for state in states:
            self._prune(state, gone & (state.handled or {}).keys())

    def _prune(self, state: WatchState, gone: set[bytes]) -> None:
        if not gone:
            return
        try:
            with self._store.database.write() as connection:
                self._hold(connection, state)
                self._store.memory.prune(connection, state.watch.key, gone)
        except Superseded:
            return
        assert state.handled is not None
        for name in gone:
            del state.handled[name]

    def _fail(self, states: Sequence[WatchState], error: Exception) -> None:
        self._failures += 1
        pause = pause_after(self._failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self.due = self._now() + pause
        self._wanted = True
        if self._woken:
            # A wake-up that came while the folder was listed.
            self.due = 0.0
        logs.get("watching").warning(
            "folder.unreadable", watches=[state.watch.shown for state in states], error=str(error) or repr(error),
            pause_s=pause,
        )  # fmt: skip
        for state in states:
            self._report(state, error)

    def _report(self, state: WatchState, error: Exception) -> None:
        if state.watch.failed is None:
            return
        with suppress(Superseded, Later), self._store.database.write() as connection:
            state.watch.lock(connection)
            self._hold(connection, state)
            state.watch.failed(connection, error)
