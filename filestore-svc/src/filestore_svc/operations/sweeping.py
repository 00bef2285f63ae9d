"""Clear away what nobody needs any longer: replaced and deleted bytes, orphans, abandoned uploads, dead transfers."""

import functools
import threading
from typing import Final

import sqlalchemy as sa

from filestore_svc.domain.files import Folder, event_fields
from filestore_svc.operations.metering import Quotas
from filestore_svc.operations.resuming import Resuming
from filestore_svc.operations.transfers import TransferRecorder
from filestore_svc.store import files
from filestore_svc.store.blobs import Blobs
from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import outbox
from mft_common import logs
from mft_common.clock import Clock
from mft_common.events.catalogue.files import FileDeleted
from mft_common.identity import SYSTEM

# A reader looks a file up and opens its blob a moment later; nobody takes this long in between.
READERS_MS: Final = 60_000
ORPHAN_S: Final = 3600.0
_EVERY_S: Final = 10.0
_ORPHANS_EVERY_S: Final = 600.0
_AT_ONCE: Final = 500


class Sweeping:
    """Clears away. `alone`: all processes run on this machine, so that locks tell which are dead (S20)."""

    def __init__(
        self,
        commits: Commits,
        blobs: Blobs,
        recorder: TransferRecorder,
        resuming: Resuming,
        quotas: Quotas,
        *,
        now: Clock,
        alone: bool,
    ) -> None:
        self._resuming = resuming
        self._quotas = quotas
        self._commits = commits
        self._blobs = blobs
        self._recorder = recorder
        self._now = now
        self._alone = alone

    def at_start(self) -> None:
        """Clear what processes that died have left; those that live keep theirs."""
        self.abandoned()
        self._recorder.end_dead()
        self._quotas.release_dead()

    def abandoned(self) -> int:
        """Remove the staging files of dead processes; where several machines share the store, old ones."""
        return self._blobs.clear_staging(None if self._alone else ORPHAN_S)

    def delete_blobs(self, age_ms: int = READERS_MS) -> int:
        """Remove the bytes of contents that were replaced or deleted more than `age_ms` ago."""
        with self._commits.database.read() as connection:
            ids = files.due_deletions(connection, self._now() - age_ms, _AT_ONCE)
        for fileset in ids:
            self._blobs.remove(fileset)
        if ids:
            self._commits.run(lambda connection: files.forget_deleted(connection, ids))
        return len(ids)

    def expired(self) -> int:
        """Remove files whose time is over, and tell of each; returns how many there were (S29)."""
        now = self._now()
        with self._commits.database.read() as connection:
            found = files.expired(connection, now, _AT_ONCE)

        def work(connection: sa.Connection, folder: Folder, name: str) -> None:
            file = files.lock(connection, folder, name)
            if file is not None and 0 < file.expires_at <= now:
                files.remove(connection, file.fileset, now)
                outbox.add(connection, FileDeleted(**event_fields(file), account=SYSTEM, address="", reason="expired"))

        for folder, name in found:
            self._commits.run(functools.partial(work, folder=folder, name=name))
        return len(found)

    def orphans(self, age: float = ORPHAN_S) -> int:
        """Remove bytes that were kept more than `age` seconds ago and never got a row."""
        count = 0
        for ids in self._blobs.older_than(age):
            with self._commits.database.read() as connection:
                lost = set(ids) - files.known(connection, ids)
            for fileset in lost:
                self._blobs.remove(fileset)
            count += len(lost)
        if count:
            logs.get("sweeping").info("orphans.removed", count=count)
        return count

    def run(self, stop: threading.Event) -> None:
        """Sweep until `stop` is set: a part of the worker."""
        next_orphans = 0.0
        passed = 0.0
        while not stop.is_set():
            self._quotas.release_dead()
            self._recorder.end_dead()
            self._resuming.expire()
            while self.expired() == _AT_ONCE and not stop.is_set():
                pass
            while self.delete_blobs() == _AT_ONCE and not stop.is_set():
                pass
            if passed >= next_orphans:
                self.abandoned()
                self.orphans()
                self._resuming.orphans(ORPHAN_S)
                next_orphans = passed + _ORPHANS_EVERY_S
            stop.wait(_EVERY_S)
            passed += _EVERY_S
