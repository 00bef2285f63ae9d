"""Write what happens to a managed transfer, as long as it is this worker's."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.backoff import pause_after
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.leases import Lease, LeaseLost
from mft_common.events import Event
from mft_common.events.catalogue.transfers import MAX_ITEMS
from mqmft_svc.domain.managed import FIRST_PAUSE_S, LONGEST_PAUSE_S, Managed
from mqmft_svc.domain.managed_files import FileCounts, ManagedFile
from mqmft_svc.operations.managed import transfer_events
from mqmft_svc.operations.managed.known_files import KnownFiles
from mqmft_svc.store import managed as store
from mqmft_svc.store import managed_queues
from mqmft_svc.store.tables import OUTBOX, SWEEPS, WORKERS

_EVENT_EVERY_MS: Final = 1000


class OwnedTransfer:
    """A transfer that this worker has, and its files; every write raises LeaseLost where another has it by now.

    Its event of progress is sent at most once a second (203). What came too soon after one is told by `tell`, which any
    thread may call.
    """

    def __init__(self, database: Database, transfer: Managed, now: Clock) -> None:
        self.transfer = transfer
        self._database = database
        self._files = KnownFiles(database, transfer.id)
        self._now = now
        # Files that changed since they were stored, and since an event told of them.
        self._unstored: set[int] = set()
        self._untold: set[int] = set()
        self._told_at = 0
        # Whether it moves again, and that is not stored yet.
        self._moved = False
        self._lock = threading.RLock()

    @property
    def counts(self) -> FileCounts:
        """How many files are known so far, and how they stand."""
        with self._lock:
            return self._files.load()

    def known(self, after: int) -> list[dict[str, Any]]:
        """Return some of the files behind a position, as plain data; a message has a limit of bytes."""
        with self._lock:
            if self._unstored:
                self._write()
            return self._files.page(after)

    def found(self, given: Sequence[Mapping[str, Any]]) -> None:
        """Store files that were found."""
        self._change([ManagedFile.from_json(one) for one in given])
        self._write()

    def change(self, position: int, values: Mapping[str, Any]) -> None:
        """Store values of a file before anything else happens to it."""
        self._change([self._file(position).changed(**values)])
        self._write()

    def checkpoint(self, position: int, checkpoint: Mapping[str, Any]) -> None:
        """Store how far a file is safe; the transfer moves again, so a later recovery counts from its own begin."""
        self._moves()
        self.change(position, {"checkpoint": checkpoint})

    def put(self, given: Mapping[str, Any]) -> None:
        """Store a file that was delivered or is over, as it is now."""
        self._moves()
        self._change([ManagedFile.from_json(given)])
        self._write()

    def note(self, given: Mapping[str, Any]) -> None:
        """Note a file that is over; it is stored with the next write, and a run that lacks it finds out itself."""
        self._moves()
        self._change([ManagedFile.from_json(given)])
        if self._is_to_tell():
            self._write()

    def progress(self, position: int, bytes_done: int) -> None:
        """Note how far a file is; it is stored and told with the next event."""
        self._change([self._file(position).changed(state="moving", bytes_done=bytes_done)])
        if self._is_to_tell():
            self._write()

    def tell(self) -> None:
        """Store and tell what no event has told yet, where one is due: the child may have nothing to report for long.

        A transfer that is not this worker's any more is left alone.
        """
        with self._lock:
            if self._untold and self._event_is_due():
                try:
                    self._write()
                except LeaseLost:
                    self._untold.clear()

    def require(self, lease: Lease) -> None:
        """Raise LeaseLost unless the transfer is this worker's, whose lease lasts."""
        with self._database.write() as connection:
            self._require(connection, lease)

    def may_commit(self, lease: Lease, position: int, checkpoint: Mapping[str, Any] | None) -> bool:
        """Store what proves the commit of a file, and return whether it may become visible; LeaseLost.

        It may not where somebody has asked to stop the transfer.
        """
        if checkpoint is not None:
            self._change([self._file(position).changed(checkpoint=checkpoint)])
        with self._held() as connection:
            self._require(connection, lease)
            return not store.stop_of(connection, self.transfer.id)

    def _require(self, connection: sa.Connection, lease: Lease) -> None:
        store.hold(connection, self.transfer)
        if not WORKERS.is_alive(connection, lease):
            raise LeaseLost(f"{self.transfer.id}: the lease of its worker has lapsed")

    def end(self, state: str, description: str = "", *, left: bool) -> None:
        """End the transfer; a request to stop it that came before decides how.

        With `left` unfinished files may be at the destination, which a worker removes afterwards.
        """
        with self._held() as connection:
            if stop := store.stop_of(connection, self.transfer.id):
                state, description = stop, ""
            self._end(connection, state, description, left=left)

    def _end(self, connection: sa.Connection, state: str, description: str, *, left: bool) -> None:
        now = self._now()
        # The record has the reason of each file, the line that of the first.
        reason = description

        def files() -> Iterator[ManagedFile]:
            nonlocal reason
            for one in store.each_file(connection, self.transfer.id):
                reason = reason or (one.description if one.state == "failed" else "")
                yield one

        events = transfer_events.ending(
            self.transfer, self.counts, files(), state=state, at=now, description=description
        )
        for event in events:
            OUTBOX.add(connection, event)
        store.end(connection, self.transfer, now, owner="")
        if left:
            SWEEPS.add(connection, self.transfer.id, now)
        log = logs.get("managed")
        write = log.info if state == "successful" else log.warning
        write("transfer.ended", transfer=self.transfer.id, state=state, reason=reason)

    def recover(self, reason: str) -> None:
        """Let the transfer wait for its next try, or end it as failed where it has waited long enough (225)."""
        now, before = self._now(), self.transfer
        if before.recovery_ends(now):
            self.end("failed", reason, left=True)
            return
        since = now if before.recovering_since is None else before.recovering_since
        waiting = replace(before, retries=before.retries + 1, recovering_since=since)
        pause = pause_after(waiting.retries, FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._wait(waiting, now + round(pause * 1000))
        logs.get("managed").warning("transfer.recovering", transfer=before.id, reason=reason, pause=pause)

    def hand_back(self) -> None:
        """Let another worker go on with the transfer at once: this one stops."""
        # Not the time: a clock that is set back would let it wait.
        self._wait(self.transfer, 0)

    def _wait(self, waiting: Managed, due_at: int, *, tells: bool = True, left: bool = False) -> None:
        """Let a worker go on with the transfer at a time; with `left` unfinished files are removed meanwhile."""
        with self._held() as connection:
            if stop := store.stop_of(connection, waiting.id):
                return self._end(connection, stop, "", left=True)
            if tells:
                OUTBOX.add(connection, *self._progressed(waiting))
            values = {"retries": waiting.retries, "recovering_since": waiting.recovering_since}
            calls = {"receiver": waiting.receiver, "calls": store.calls_json(waiting)}
            store.update(connection, waiting.id, status="queued", due_at=due_at, owner="", **values, **calls)
            # Messages of a file that may be there already come again: they are nobody else's.
            takes = any(item.source.type == "queue" for item in waiting.submission.items)
            claimed = takes and any(one.has_taken for one in store.each_file(connection, waiting.id))
            managed_queues.claim(connection, waiting.id, claimed=claimed)
            if left:
                SWEEPS.add(connection, waiting.id, self._now())
        self.transfer = waiting
        return None

    def _moves(self) -> None:
        with self._lock:
            if self.transfer.recovering_since is not None:
                self.transfer = replace(self.transfer, recovering_since=None)
                self._moved = True

    def _change(self, files: Iterable[ManagedFile]) -> None:
        with self._lock:
            for one in files:
                self._files.put(one)
                self._unstored.add(one.position)
                self._untold.add(one.position)

    def _file(self, position: int) -> ManagedFile:
        with self._lock:
            return self._files[position]

    def _event_is_due(self) -> bool:
        # A clock that was set back lets an event be sent early, and not an hour without one pass.
        return not 0 <= self._now() - self._told_at < _EVENT_EVERY_MS

    def _is_to_tell(self) -> bool:
        # Further pages of items are no further events of progress (203).
        return self._event_is_due() or len(self._untold) >= MAX_ITEMS

    def _progressed(self, transfer: Managed) -> list[Event]:
        changed = [self._files[position] for position in sorted(self._untold)]
        return [*transfer_events.progressed(transfer, self.counts, changed)]

    def _write(self) -> None:
        """Store the files that changed, with an event of progress where one is due."""
        with self._lock:
            tells = self._is_to_tell()
            with self._held() as connection:
                if tells:
                    OUTBOX.add(connection, *self._progressed(self.transfer))
            if tells:
                self._told_at = self._now()
                self._untold.clear()
                self._files.forget()

    @contextmanager
    def _held(self) -> Iterator[sa.Connection]:
        """Give a transaction that holds the transfer, in which the files that changed are stored; LeaseLost."""
        with self._lock:
            # Not within the transaction: that would need another connection.
            self._files.load()
            with self._database.write() as connection:
                store.hold(connection, self.transfer)
                changed = [self._files[position] for position in sorted(self._unstored)]
                store.put_files(connection, self.transfer.id, changed)
                if self._moved:
                    store.update(connection, self.transfer.id, recovering_since=None)
                yield connection
            # Not before the commit: a database that is away is written to again.
            self._unstored.clear()
            self._moved = False
