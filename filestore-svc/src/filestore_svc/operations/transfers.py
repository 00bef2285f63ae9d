"""Report every upload and download as a transfer, exactly once, whatever process dies in between."""

import contextlib
import functools
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from filestore_svc.domain.client_transfers import Outcome
from filestore_svc.domain.transfers import RunningTransfer, broken_off
from filestore_svc.operations.transfer_records import (
    CompletedDownload,
    RecordQueue,
    TransferRecord,
    Work,
    both_events,
    end_events,
)
from filestore_svc.store import quotas, staged_blobs, transfers
from filestore_svc.store.commits import Commits
from filestore_svc.store.processes import Processes
from filestore_svc.store.tables import outbox
from filestore_svc.store.transfers import OpenTransfer
from mft_common import logs
from mft_common.backoff import Backoff
from mft_common.clock import Clock
from mft_common.errors import Unavailable
from mft_common.events.catalogue.files import FileStored
from mft_common.events.catalogue.transfers import TransferStarted
from mft_common.identity import Identity
from mft_common.ids import TransferIds

ANNOUNCE_AFTER_MS: Final = 1_000
_TICK_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
_LEASE_MS: Final = 30_000
_RENEW_MS: Final = 10_000
_DIED: Final = "the process that served this transfer died"

UploadRows = Callable[[sa.Connection, FileStored], list[dict[str, Any]]]


class TransferRecorder:
    """The running uploads and downloads of this process, and the thread that commits their records.

    The thread starts with the first transfer. It announces transfers that take longer than a second, renews the leases
    of this process, and commits the ends of downloads and of failures in groups, less than a second late. `each_tick`
    is called several times a second as well. (http-mft.md 5.8)
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
        self._commits = commits
        self._processes = processes
        self._ids = ids
        self._now = now
        self._each_tick = each_tick
        self._records = RecordQueue(commits, now)
        self._running: set[RunningTransfer] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._renewed = 0

    def describe(
        self, identity: Identity, account: str, *, upload: bool, source: str, destination: str | None = None,
        if_exists: str | None = None, fileset: int | None = None,
    ) -> RunningTransfer:  # fmt: skip
        """Return a transfer for `account`; bytes moved for an identity with a transfer id belong to that transfer."""
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
            self._running.add(transfer)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="transfers", daemon=True)
                self._thread.start()
        return transfer

    @contextlib.contextmanager
    def closing(self, transfer: RunningTransfer) -> Iterator[None]:
        """Lock a transfer while the block commits its end; it goes on running where the block raises."""
        with transfer.lock:
            yield
            transfer.over = True
        with self._lock:
            self._running.discard(transfer)

    def end(self, connection: sa.Connection, transfer: RunningTransfer, outcome: Outcome) -> None:
        """Write the end of a transfer in the caller's transaction."""
        outbox.add(connection, *end_events(connection, transfer, outcome, self._now()))

    def upload_rows(self, transfer: RunningTransfer, outcome: Outcome, expected: FileStored) -> UploadRows:
        """Return a function that makes the outbox rows of a stored file and of its transfer's end, in a transaction.

        The rows of the `expected` event are made at once, so that no other writer waits for them.
        """
        if transfer.announced or transfer.external:

            def rows(connection: sa.Connection, stored: FileStored) -> list[dict[str, Any]]:
                ended = end_events(connection, transfer, outcome, self._now())
                return [*outbox.rows((stored,), logs.request_id()), *outbox.rows(ended, transfer.request_id)]

            return rows
        ready = self._whole_upload(transfer, outcome, expected)
        return lambda _connection, stored: (
            ready if stored == expected else self._whole_upload(transfer, outcome, stored)
        )

    def _whole_upload(self, transfer: RunningTransfer, outcome: Outcome, stored: FileStored) -> list[dict[str, Any]]:
        composite = transfer.upload_of(stored, outcome)
        events = (stored, *both_events(transfer, outcome, self._now())) if composite is None else (composite,)
        return outbox.rows(events, transfer.request_id)

    def end_soon(
        self,
        transfer: RunningTransfer,
        outcome: Outcome,
        work: Work | None = None,
        *,
        download: CompletedDownload | None = None,
        unanswered: int = 0,
    ) -> None:
        """Let the thread commit the end of a transfer, together with the download that it was, and with `work`.

        `unanswered` is the fileset of an upload whose commit got no answer: where it was committed, so was the end.
        """
        with transfer.lock:
            transfer.over = True
        with self._lock:
            self._running.discard(transfer)
        self._records.add(TransferRecord(transfer, outcome, download, work, unanswered))

    def end_dead(self) -> int:
        """End the transfers of dead processes as failed; return how many (http-mft.md S21)."""
        dead = {row.key for row in self._processes.abandoned(self._commits.database, transfers.owned)}
        with self._commits.database.read() as connection:
            found = [each for each in transfers.all_open(connection) if each.transfer_id in dead]
        for each in found:
            try:
                with logs.request_scope(each.request_id):
                    self._commits.run(lambda connection, each=each: self._end_dead(connection, each))  # type: ignore[misc]
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001 -- one that cannot be read must not keep the others open
                logs.get("transfers").exception("transfer.unreadable", transfer_id=each.transfer_id)
        self._processes.forget_dead()
        return len(found)

    def flush(self) -> None:
        """Commit the waiting records now."""
        self._records.flush()

    def close(self) -> None:
        """Stop the thread and commit the waiting records."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._records.flush()

    def _end_dead(self, connection: sa.Connection, each: OpenTransfer) -> None:
        if transfers.end(connection, each.transfer_id):
            started = TransferStarted.from_data(json.loads(each.head))
            outbox.add(connection, *broken_off(started, _DIED, self._now()))

    def _run(self) -> None:
        backoff = Backoff(_TICK_S, _LONGEST_PAUSE_S)
        pause = _TICK_S
        while not self._stop.wait(pause):
            try:
                self._announce()
                self._renew()
                self._records.flush()
                for work in self._each_tick:
                    work()
            except Unavailable as error:
                pause = backoff.pause()
                logs.get("transfers").warning("records.waiting", error=str(error), pause=pause)
            except Exception:  # noqa: BLE001 -- every later record would be lost with the thread
                pause = backoff.pause()
                logs.get("transfers").exception("records.failed")
            else:
                backoff.reset()
                pause = _TICK_S

    def _long_running(self, now: int) -> list[RunningTransfer]:
        with self._lock:
            # One that seems to begin later than now is older than the last change of the clock.
            return [each for each in self._running if not 0 <= now - each.submitted_at < ANNOUNCE_AFTER_MS]

    def _announce(self) -> None:
        for transfer in self._long_running(self._now()):
            if transfer.announced or transfer.external:
                continue
            with transfer.lock, logs.request_scope(transfer.request_id):
                if not transfer.over:
                    self._commits.run(functools.partial(self._open, transfer, self._processes.now() + _LEASE_MS))
                    transfer.announced = True

    def _open(self, transfer: RunningTransfer, lease: int, connection: sa.Connection) -> None:
        started = transfer.started()
        head = started.to_json()
        opened = OpenTransfer(transfer.transfer_id, self._processes.own, lease, head, transfer.request_id)
        transfers.add(connection, opened)
        outbox.add(connection, started)

    def _renew(self) -> None:
        """Renew the leases of this process while it has long transfers; on one machine locks show that it lives."""
        now = self._now()
        # A clock that is set back must not let the leases lapse.
        renewed = 0 <= now - self._renewed < _RENEW_MS
        if self._processes.local or renewed or not self._long_running(now):
            return
        at = self._processes.now()

        def work(connection: sa.Connection) -> None:
            # The commit of an upload locks its rows in this order too.
            quotas.renew(connection, self._processes.own, at, at + _LEASE_MS)
            staged_blobs.owned.renew(connection, self._processes.own, at, at + _LEASE_MS)
            transfers.owned.renew(connection, self._processes.own, at, at + _LEASE_MS)

        self._commits.run(work)
        self._renewed = now
