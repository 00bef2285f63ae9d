"""Tell of every upload and download as a transfer, exactly once, whatever dies in between."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from filestore_svc.domain.files import StoredFile, event_fields
from filestore_svc.domain.transfers import RunningTransfer, broken_off
from filestore_svc.store import files, quotas, transfers
from filestore_svc.store.commits import Commits
from filestore_svc.store.files import Read
from filestore_svc.store.processes import Processes
from filestore_svc.store.tables import outbox
from filestore_svc.store.transfers import OpenTransfer
from mft_common import logs
from mft_common.clock import Clock
from mft_common.errors import Unavailable
from mft_common.events.catalogue import Event
from mft_common.events.catalogue.files import FileRead, FileStored
from mft_common.events.catalogue.moves import Outcome
from mft_common.events.catalogue.transfers import TransferEnded, TransferStarted
from mft_common.identity import Identity
from mft_common.ids import TransferIds

ANNOUNCE_AFTER_MS: Final = 1_000
_TICK_S: Final = 0.2
_LEASE_MS: Final = 30_000
_RENEW_MS: Final = 10_000
_DIED: Final = "the process that served this transfer died"

# So many records share a commit: others wait for the database meanwhile.
_TOGETHER: Final = 256

Work = Callable[[sa.Connection], None]
Told = Callable[[sa.Connection, FileStored], list[dict[str, Any]]]


class Fetched(NamedTuple):
    """A file of which the last byte was sent to a client; after a first download it expires at `until`, 0 for never."""

    file: StoredFile
    at: int
    until: int


class _Record(NamedTuple):
    """What is still to be told of a transfer that is over: what was fetched by it, what `work` does, and its end."""

    transfer: RunningTransfer
    outcome: Outcome
    fetched: Fetched | None
    work: Work | None

    @property
    def plain(self) -> bool:
        """True for one that needs nothing of the database but to be written down."""
        return self.work is None and not self.transfer.announced and not self.transfer.persistent

    def events(self, whole: Callable[[RunningTransfer, Outcome], Iterable[Event]]) -> list[Event]:
        """Return what can be told before the transaction begins; `whole` gives the begin and the end of a transfer."""
        transfer, events = self.transfer, list[Event]()
        if self.fetched is not None:
            compound = transfer.download_of(self.fetched.file, self.outcome) if self.plain else None
            if compound is not None:
                return [compound]
            events.append(_read(transfer, self.fetched.file))
        if self.plain and not transfer.external:
            events += whole(transfer, self.outcome)
        return events


def _read(transfer: RunningTransfer, file: StoredFile) -> FileRead:
    return FileRead(
        **event_fields(file), account=transfer.account, address=transfer.address, transfer_id=transfer.transfer_id
    )


class TransferRecorder:
    """The uploads and downloads of this process, and a thread that commits what no client waits for.

    The thread starts with the first transfer. It announces transfers that take longer than a second, keeps their
    leases, and commits the records of downloads and of failures in groups, less than a second late. (http-mft.md 5.8)
    """

    def __init__(
        self,
        commits: Commits,
        processes: Processes,
        ids: TransferIds,
        now: Clock,
        *,
        each_tick: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._each_tick = each_tick
        self._commits = commits
        self._processes = processes
        self._ids = ids
        self._now = now
        self._live: set[RunningTransfer] = set()
        self._records: list[_Record] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._renewed = 0

    def describe(
        self, identity: Identity, account: str, *, upload: bool, source: str, destination: str | None = None,
        if_exists: str | None = None, fileset: int | None = None,
    ) -> RunningTransfer:  # fmt: skip
        """Make a transfer for `account`; what an identity with a transfer id moves is part of that transfer."""
        return RunningTransfer(
            transfer_id=identity.transfer_id or self._ids.new(),
            external=identity.transfer_id is not None,
            upload=upload,
            account=account,
            address=identity.address,
            label=identity.label,
            request_id=identity.request_id,
            submitted_at=self._now(),
            source=source,
            destination=destination,
            if_exists=if_exists,
            fileset=fileset,
        )

    def begin(
        self, identity: Identity, account: str, *, upload: bool, source: str, destination: str | None = None,
        if_exists: str | None = None, fileset: int | None = None,
    ) -> RunningTransfer:  # fmt: skip
        """Begin a transfer for `account` that ends with this process at the latest."""
        transfer = self.describe(
            identity, account, upload=upload, source=source, destination=destination, if_exists=if_exists,
            fileset=fileset,
        )  # fmt: skip
        with self._lock:
            self._live.add(transfer)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="moves", daemon=True)
                self._thread.start()
        return transfer

    @contextlib.contextmanager
    def closing(self, transfer: RunningTransfer) -> Iterator[None]:
        """Hold a transfer while the block commits its end; when the block raises, it goes on."""
        with transfer.lock:
            yield
            transfer.over = True
        self._forget(transfer)

    def end(self, connection: sa.Connection, transfer: RunningTransfer, outcome: Outcome) -> None:
        """Write the end of a transfer in the caller's transaction."""
        outbox.add(connection, *self.ending(connection, transfer, outcome))

    def told(self, transfer: RunningTransfer, outcome: Outcome, expected: FileStored) -> Told:
        """Return what gives the rows of the outbox for a stored file and its transfer's end, in their transaction.

        What is `expected` is written out beforehand: nobody else has to wait for that with the database in our hands.
        """
        if transfer.announced or transfer.external:

            def tell(connection: sa.Connection, stored: FileStored) -> list[dict[str, Any]]:
                ending = outbox.rows(self.ending(connection, transfer, outcome), transfer.request_id)
                return [*outbox.rows((stored,), logs.request_id()), *ending]

            return tell
        ready = self._told(transfer, outcome, expected)
        return lambda _connection, stored: ready if stored == expected else self._told(transfer, outcome, stored)

    def _told(self, transfer: RunningTransfer, outcome: Outcome, stored: FileStored) -> list[dict[str, Any]]:
        compound = transfer.upload_of(stored, outcome)
        events = (stored, *self._whole(transfer, outcome)) if compound is None else (compound,)
        return outbox.rows(events, transfer.request_id)

    def ending(self, connection: sa.Connection, transfer: RunningTransfer, outcome: Outcome) -> tuple[Event, ...]:
        """Return what is to be told of a transfer's end in this transaction: its begin too, where that was not yet."""
        if transfer.external:
            return ()
        if not transfer.announced:
            return self._whole(transfer, outcome)
        if transfer.persistent or transfers.end(connection, transfer.transfer_id):
            return (transfer.ended(outcome, outcome.at or self._now()),)
        return ()

    def _whole(self, transfer: RunningTransfer, outcome: Outcome) -> tuple[Event, ...]:
        """Return both events of a transfer of which nothing was told yet."""
        return transfer.started(), transfer.ended(outcome, outcome.at or self._now())

    def end_soon(
        self, transfer: RunningTransfer, outcome: Outcome, work: Work | None = None, *, fetched: Fetched | None = None
    ) -> None:
        """Let the thread write the end of a transfer, with what was fetched by it, and do `work` in one transaction."""
        with transfer.lock:
            transfer.over = True
        with self._lock:
            self._live.discard(transfer)
            self._records.append(_Record(transfer, outcome, fetched, work))

    def end_dead(self) -> int:
        """End as failed what dead processes left open; returns how many (http-mft.md S21)."""
        with self._commits.database.read() as connection:
            found = [each for each in transfers.all_open(connection) if self._dead(each)]
        for each in found:
            with logs.request_scope(each.request_id):
                self._commits.run(lambda connection, each=each: self._end_dead(connection, each))  # type: ignore[misc]
        self._processes.forget_dead()
        return len(found)

    def flush(self) -> None:
        """Commit now what waits for the thread."""
        self._commit_records()

    def close(self) -> None:
        """Commit what is left and stop the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._commit_records()

    def _dead(self, each: OpenTransfer) -> bool:
        if self._processes.local:
            return self._processes.dead(each.process)
        return each.lease_until < self._now()

    def _end_dead(self, connection: sa.Connection, each: OpenTransfer) -> None:
        if transfers.end(connection, each.transfer_id):
            started = TransferStarted.from_data(json.loads(each.head))
            ended: TransferEnded = broken_off(started, _DIED, self._now())
            outbox.add(connection, ended)

    def _forget(self, transfer: RunningTransfer) -> None:
        with self._lock:
            self._live.discard(transfer)

    def _run(self) -> None:
        while not self._stop.wait(_TICK_S):
            try:
                self._announce()
                self._commit_records()
                for work in self._each_tick:
                    work()
            except Unavailable as error:
                logs.get("moves").warning("records.waiting", error=str(error))
            except Exception:  # noqa: BLE001 -- a thread that ends would let every later record be lost
                logs.get("moves").exception("records.failed")

    def _announce(self) -> None:
        now = self._now()
        with self._lock:
            late = [
                m
                for m in self._live
                if not m.announced and not m.external and now - m.submitted_at >= ANNOUNCE_AFTER_MS
            ]
            leased = any(now - transfer.submitted_at >= ANNOUNCE_AFTER_MS for transfer in self._live)
        for transfer in late:
            with transfer.lock, logs.request_scope(transfer.request_id):
                if not transfer.over:
                    self._commits.run(lambda connection, transfer=transfer: self._open(connection, transfer))  # type: ignore[misc]
                    transfer.announced = True
        if leased and not self._processes.local and now - self._renewed >= _RENEW_MS:
            self._commits.run(lambda connection: self._renew(connection, now + _LEASE_MS))
            self._renewed = now

    def _renew(self, connection: sa.Connection, lease_until: int) -> None:
        quotas.renew(connection, self._processes.own, lease_until)
        transfers.renew(connection, self._processes.own, lease_until)

    def _open(self, connection: sa.Connection, transfer: RunningTransfer) -> None:
        started = transfer.started()
        head = started.to_json()
        lease = self._now() + _LEASE_MS
        transfers.add(
            connection, OpenTransfer(transfer.transfer_id, self._processes.own, lease, head, transfer.request_id)
        )
        outbox.add(connection, started)

    def _commit_records(self) -> None:
        while True:
            with self._lock:
                records, self._records = self._records[:_TOGETHER], self._records[_TOGETHER:]
            if not records:
                return
            try:
                self._commit(records)
            except Unavailable:
                self._put_back(records)
                raise
            except Exception:  # noqa: BLE001 -- one bad record must not take the others with it
                self._commit_one_by_one(records)

    def _put_back(self, records: Sequence[_Record]) -> None:
        with self._lock:
            self._records[:0] = records

    def _commit(self, records: Sequence[_Record]) -> None:
        """Commit records together; the events of most are written out before anybody has to wait for the database."""
        fetched = [record.fetched for record in records if record.fetched is not None]
        reads = [Read(each.file.fileset, each.at, each.until) for each in fetched]
        told = [(record.events(self._whole), record.transfer.request_id) for record in records]
        rows = [row for events, request_id in told for row in outbox.rows(events, request_id)]
        rest = [record for record in records if not record.plain]

        def work(connection: sa.Connection) -> None:
            if rest:
                quotas.lock(connection)
            files.mark_read(connection, reads)
            outbox.write(connection, rows)
            for record in rest:
                with logs.request_scope(record.transfer.request_id):
                    if record.work is not None:
                        record.work(connection)
                    self.end(connection, record.transfer, record.outcome)

        self._commits.run(work)

    def _commit_one_by_one(self, records: Sequence[_Record]) -> None:
        for place, record in enumerate(records):
            try:
                self._commit([record])
            except Unavailable:
                self._put_back(records[place:])
                raise
            except Exception:  # noqa: BLE001 -- there is nobody left to tell
                logs.get("moves").exception("record.lost", request_id=record.transfer.request_id)
