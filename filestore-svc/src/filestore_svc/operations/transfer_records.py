"""Commit the ends of transfers that no client waits for, many of them in one transaction."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from filestore_svc.domain.client_transfers import Outcome
from filestore_svc.domain.files import StoredFile, event_fields
from filestore_svc.domain.transfers import RunningTransfer
from filestore_svc.store import files, quotas, transfers
from filestore_svc.store.commits import Commits
from filestore_svc.store.files import Read
from filestore_svc.store.tables import outbox
from mft_common import logs
from mft_common.clock import Clock
from mft_common.errors import Unavailable
from mft_common.events.catalogue import Event
from mft_common.events.catalogue.files import FileRead

# The most records of one commit; writers of the same database wait for it meanwhile.
_MOST: Final = 256

Work = Callable[[sa.Connection], None]


class CompletedDownload(NamedTuple):
    """A download that sent the last byte of a file at `at`; if it was the first, the file expires at `until`, or never.

    Times are milliseconds since the epoch, `until` 0 for never.
    """

    file: StoredFile
    at: int
    until: int


class TransferRecord(NamedTuple):
    """The end of a transfer that is yet to be committed, with the download that it was, and `work` to do with it.

    Nothing is reported where the fileset `unanswered` was committed: the end of its transfer was committed with it.
    """

    transfer: RunningTransfer
    outcome: Outcome
    download: CompletedDownload | None = None
    work: Work | None = None
    unanswered: int = 0

    @property
    def independent(self) -> bool:
        """Return whether its events depend on nothing in the database."""
        return (
            self.work is None and not self.unanswered and not self.transfer.announced and not self.transfer.persistent
        )

    def events(self, now: int) -> list[Event]:
        """Return the events that can be made before the transaction begins."""
        transfer, events = self.transfer, list[Event]()
        if self.download is not None:
            composite = transfer.download_of(self.download.file, self.outcome) if self.independent else None
            if composite is not None:
                return [composite]
            events.append(_file_read(transfer, self.download.file))
        if self.independent and not transfer.external:
            events += both_events(transfer, self.outcome, now)
        return events


def both_events(transfer: RunningTransfer, outcome: Outcome, now: int) -> tuple[Event, ...]:
    """Return the started and the ended event of a transfer of which neither is committed."""
    return transfer.started(), transfer.ended(outcome, outcome.at or now)


def end_events(connection: sa.Connection, transfer: RunningTransfer, outcome: Outcome, now: int) -> tuple[Event, ...]:
    """Return the events that end a transfer in this transaction, the started event too where it is not committed.

    There are none where another service reports the transfer, or where another process has ended it.
    """
    if transfer.external:
        return ()
    if not transfer.announced:
        return both_events(transfer, outcome, now)
    if transfer.persistent or transfers.end(connection, transfer.transfer_id):
        return (transfer.ended(outcome, outcome.at or now),)
    return ()


class RecordQueue:
    """The records that wait for their commit. A database that is away costs none of them, a bad record only itself."""

    def __init__(self, commits: Commits, now: Clock) -> None:
        self._commits = commits
        self._now = now
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._records: list[TransferRecord] = []
        # The rows of records whose commit got no answer: they may be in the database already, under the same ids.
        self._unanswered: dict[int, list[dict[str, Any]]] = {}

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._records)

    def add(self, record: TransferRecord) -> None:
        """Add a record."""
        with self._lock:
            self._records.append(record)

    def flush(self) -> None:
        """Commit all records that wait; Unavailable, with the uncommitted ones kept, where the database is away.

        Records that another thread is committing are waited for.
        """
        with self._flushing:
            while records := self._take():
                try:
                    self._commit(records)
                except Unavailable:
                    self._put_back(records)
                    raise
                except Exception:  # noqa: BLE001 -- one bad record must not take the others with it
                    self._commit_one_by_one(records)

    def _take(self) -> list[TransferRecord]:
        with self._lock:
            records, self._records = self._records[:_MOST], self._records[_MOST:]
        return records

    def _put_back(self, records: Sequence[TransferRecord]) -> None:
        with self._lock:
            self._records[:0] = records

    def _commit(self, records: Sequence[TransferRecord]) -> None:
        """Commit records in one transaction; most events are serialized before it begins."""
        now = self._now()
        downloads = [record.download for record in records if record.download is not None]
        reads = [Read(each.file.fileset, each.at, each.until) for each in downloads]
        rows = [self._rows(record, now) for record in records]
        repeated = [
            each[0]["id"] for record, each in zip(records, rows, strict=True) if each and self._may_exist(record)
        ]
        dependent = [record for record in records if not record.independent]

        def work(connection: sa.Connection) -> None:
            if dependent:
                quotas.lock(connection)
            files.mark_read(connection, reads)
            written = outbox.known(connection, repeated)
            outbox.write(connection, [row for each in rows if each and each[0]["id"] not in written for row in each])
            for record in dependent:
                with logs.request_scope(record.transfer.request_id):
                    if record.work is not None:
                        record.work(connection)
                    if record.unanswered and files.was_committed(connection, record.unanswered):
                        continue
                    outbox.add(connection, *end_events(connection, record.transfer, record.outcome, now))

        for record, each in zip(records, rows, strict=True):
            self._unanswered[id(record)] = each
        try:
            self._commits.run(work)
        except Unavailable:
            raise
        except Exception:
            self._forget(records)
            raise
        self._forget(records)

    def _rows(self, record: TransferRecord, now: int) -> list[dict[str, Any]]:
        """Return the rows of a record's events: those of an earlier commit that got no answer, else new ones."""
        found = self._unanswered.get(id(record))
        return outbox.rows(record.events(now), record.transfer.request_id) if found is None else found

    def _may_exist(self, record: TransferRecord) -> bool:
        return id(record) in self._unanswered

    def _forget(self, records: Sequence[TransferRecord]) -> None:
        for record in records:
            self._unanswered.pop(id(record), None)

    def _commit_one_by_one(self, records: Sequence[TransferRecord]) -> None:
        for position, record in enumerate(records):
            try:
                self._commit([record])
            except Unavailable:
                self._put_back(records[position:])
                raise
            except Exception:  # noqa: BLE001 -- no caller is left to be told
                logs.get("transfers").exception("record.lost", request_id=record.transfer.request_id)


def _file_read(transfer: RunningTransfer, file: StoredFile) -> FileRead:
    return FileRead(
        **event_fields(file), account=transfer.account, address=transfer.address, transfer_id=transfer.transfer_id
    )
