"""Clear away replaced and deleted blobs, expired files, orphans, abandoned uploads and transfers of dead processes."""

import functools
import threading
from collections.abc import Callable, Iterable
from typing import Final

import sqlalchemy as sa

from filestore_svc.domain.files import Folder, event_fields
from filestore_svc.operations.claims import Claims
from filestore_svc.operations.orphans import ORPHAN_S, OrphanScan
from filestore_svc.operations.reads import OpenReads
from filestore_svc.operations.resuming import Resuming
from filestore_svc.operations.transfers import TransferRecorder
from filestore_svc.operations.uploads import Uploads
from filestore_svc.store import files
from filestore_svc.store.blobs import Blobs
from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import outbox
from mft_common import logs
from mft_common.backoff import pause_after
from mft_common.clock import Clock
from mft_common.database import advisory_lock
from mft_common.errors import Unavailable
from mft_common.events.catalogue.files import FileDeleted
from mft_common.identity import SYSTEM

# A reader looks a file up and opens its blob a moment later, never as long as this.
READERS_MS: Final = 60_000
_EVERY_S: Final = 10.0
_ABANDONED_EVERY_MS: Final = 600_000
_AT_ONCE: Final = 500
# After so many failures in a row the store itself is taken for broken, until the next round.
_MOST_FAILURES: Final = 10
_FIRST_RETRY_MS: Final = 10_000
_LAST_RETRY_MS: Final = 3_600_000

Step = Callable[[], object]


class Sweeping:
    """The clean-up of the worker, in rounds. `alone`: all processes run on this machine, and locks tell which are dead.

    A step that fails stops no other step, and a blob that cannot be deleted stops no other blob. (S20)
    """

    def __init__(
        self,
        commits: Commits,
        blobs: Blobs,
        recorder: TransferRecorder,
        resuming: Resuming,
        uploads: Uploads,
        *,
        reads: OpenReads,
        now: Clock,
        alone: bool,
    ) -> None:
        self._claims = Claims(commits, now)
        self.orphans = OrphanScan(commits.database, blobs, self._claims)
        self._resuming = resuming
        self._uploads = uploads
        self._reads = reads
        self._commits = commits
        self._blobs = blobs
        self._recorder = recorder
        self._now = now
        self._alone = alone

    def at_start(self) -> None:
        """Clear away what dead processes have left; a store that is away keeps no process from starting."""
        steps: dict[str, Step] = {
            "staging": self.abandoned,
            "blobs": self._uploads.forget_dead,
            "transfers": self._recorder.end_dead,
            "reservations": self._uploads.quotas.release_dead,
            "reads": self._reads.release_dead,
        }
        self.round(steps.items())

    def abandoned(self) -> int:
        """Remove the staging of dead processes; where several machines share the store, staging that is old."""
        return self._blobs.clear_staging(None if self._alone else ORPHAN_S)

    def delete_blobs(self, age_ms: int = READERS_MS) -> int:
        """Delete blobs whose file was replaced or deleted more than `age_ms` ago; return how many are gone.

        A blob that is being read stays until its readers are done (S15). A blob that cannot be deleted is tried again
        later, after a pause that doubles with each failure.
        """
        now = self._now()
        with self._commits.database.read() as connection:
            due = files.due_deletions(connection, now - age_ms, now, _AT_ONCE)
        deleted: list[int] = []
        failed: list[tuple[int, int]] = []
        in_a_row = 0
        for fileset, failures in due:
            try:
                self._blobs.remove(fileset)
            except OSError as error:
                logs.get("sweeping").warning("blob.undeletable", fileset=fileset, error=repr(error))
                failed.append((fileset, failures + 1))
                in_a_row += 1
                if in_a_row == _MOST_FAILURES:
                    break
            else:
                deleted.append(fileset)
                in_a_row = 0

        def work(connection: sa.Connection) -> None:
            # Several workers may have read the same rows, and lock them in one order only if they take turns.
            advisory_lock(connection, "filestore-svc deleted blobs")
            files.forget_deleted(connection, deleted)
            for fileset, failures in failed:
                pause = pause_after(failures, _FIRST_RETRY_MS, _LAST_RETRY_MS)
                files.retry_deletion(connection, fileset, failures, now + pause)

        if deleted or failed:
            self._commits.run(work)
        return len(deleted)

    def expired(self) -> int:
        """Remove files whose time is over, each with its event; return how many there were (S29)."""
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

    def run(self, stop: threading.Event) -> None:
        """Sweep until `stop` is set: a background task of the worker."""

        def repeat(sweep: Callable[[], int]) -> None:
            while sweep() == _AT_ONCE and not stop.is_set():
                pass

        def scan() -> None:
            while not stop.is_set() and self.orphans.step() is not None:
                pass

        steps: dict[str, Step] = {
            "reservations": self._uploads.quotas.release_dead,
            "transfers": self._recorder.end_dead,
            "blobs": self._uploads.forget_dead,
            "uploads": functools.partial(repeat, self._resuming.expire),
            "reads": self._reads.release_dead,
            "expired": functools.partial(repeat, self.expired),
            "deleted": functools.partial(repeat, self.delete_blobs),
            "staging": functools.partial(self._every_ten_minutes, "staging", self.abandoned),
            "partials": functools.partial(
                self._every_ten_minutes, "partials", functools.partial(self._resuming.orphans, ORPHAN_S)
            ),
            "orphans": scan,
        }
        while not stop.is_set():
            self.round(steps.items())
            stop.wait(_EVERY_S)

    def round(self, steps: Iterable[tuple[str, Step]]) -> None:
        """Take each step once; Unavailable, at which the round ends, where the database is away."""
        for name, step in steps:
            try:
                step()
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001 -- the steps that follow have nothing to do with this one
                logs.get("sweeping").exception("sweep.failed", step=name)

    def _every_ten_minutes(self, name: str, step: Step) -> None:
        """Take a step in one worker alone, and there once in ten minutes."""
        if self._claims.claim(name, _ABANDONED_EVERY_MS) is not None:
            step()
