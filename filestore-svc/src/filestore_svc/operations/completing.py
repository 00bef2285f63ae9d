"""Turn the complete bytes of resumable uploads into files, in threads that outlive the requests that wait for them."""

import functools
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import sqlalchemy as sa

from filestore_svc.domain.client_transfers import Outcome
from filestore_svc.domain.paths import canonical
from filestore_svc.domain.resumable import Upload
from filestore_svc.errors import (
    NoFilename,
    NoSuch,
    RequestRejected,
    StillCompleting,
    Superseded,
    TemporarilyUnavailable,
)
from filestore_svc.operations.pending import PendingUpload, SealedBlob, StoredUpload
from filestore_svc.operations.quotas import LEASE_MS
from filestore_svc.operations.receiving import PartialDigests, with_digest
from filestore_svc.operations.uploads import Uploads, refusal_of
from filestore_svc.store import quotas, resumables
from filestore_svc.store.processes import Processes
from filestore_svc.wire.headers import Preconditions
from mft_common import logs
from mft_common.errors import MftError, Unavailable

# Proxies wait for an answer for a minute, and some for half of that.
_ANSWER_S: Final = 20.0
_POLL_S: Final = 0.2
_CLOSE_S: Final = 10.0
# The time in which the commit of a two-step upload can be repeated.
_REPEAT_MS: Final = 3_600_000
_RENEW_S: Final = LEASE_MS / 3_000


@dataclass(eq=False)
class _Task:
    """The completion of one upload in this process."""

    upload: Upload
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Completions:
    """Completes uploads, each in one process at a time.

    A completion is a state of the upload's row: a request that asks for it again, in whichever process, waits for the
    one under way, and continues one whose process has died. The bytes are durable and do not change meanwhile.
    """

    def __init__(
        self, uploads: Uploads, digests: PartialDigests, processes: Processes, *, keep_metadata: bool, life: int,
        answer_within: float = _ANSWER_S,
    ) -> None:  # fmt: skip
        self._uploads = uploads
        self._commits = uploads.commits
        self._digests = digests
        self._processes = processes
        self._keep_metadata = keep_metadata
        self._life = life
        self.answer_within = answer_within
        self._tasks: dict[str, _Task] = {}
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._renewer: threading.Thread | None = None
        self._stopping = threading.Event()

    def begin(self, upload: Upload, token: str, names: Sequence[str], sha256: Any | None = None) -> None:
        """Record that all bytes of an upload are durable, and start its completion; Superseded.

        `sha256` is the digest of all bytes where it is known.
        """
        completing = replace(
            with_digest(upload, upload.length, sha256),
            received=upload.length if upload.two_step else upload.received,
            staged=self._uploads.ids.next(),
            process=self._processes.own,
            lease_until=self._processes.now() + LEASE_MS,
            expires_at=self._uploads.now() + self._life,
        )

        def claim(connection: sa.Connection) -> bool:
            return resumables.begin_completion(connection, completing, token, names)

        if not self._launch(completing, claim, sha256):
            raise Superseded

    def wait(self, identifier: str) -> Upload:
        """Return an upload once it is sealed (two-step uploads) or complete.

        StillCompleting where that takes longer than a client waits; NoSuch once it was ended; the completion's own
        refusal where it runs in this process.
        """
        deadline = time.monotonic() + self.answer_within
        while True:
            with self._lock:
                task = self._tasks.get(identifier)
            if task is not None:
                task.done.wait(max(0.0, deadline - time.monotonic()))
                # One that was superseded has left the upload to another process.
                if task.error is not None and not isinstance(task.error, Superseded):
                    raise task.error
            with self._commits.database.read() as connection:
                upload = resumables.find(connection, identifier, 0)
            if upload is None:
                raise NoSuch(identifier)
            if upload.state in ("sealed", "complete"):
                return upload
            if time.monotonic() >= deadline:
                raise StillCompleting
            if task is None and not self._take_over(upload):
                time.sleep(_POLL_S)

    def commit(self, upload: Upload) -> Upload:
        """Make the file of a sealed upload visible; return the complete upload, whoever completed it."""
        try:
            self._commit(self._pending(upload), SealedBlob(upload.staged, upload.length, upload.sha256), upload)
        except TemporarilyUnavailable:
            raise
        except RequestRejected as refusal:
            if not isinstance(refusal, Superseded):
                self.end(upload.id, Outcome(reason=refusal.reason), staged=upload.staged)
                raise
        with self._commits.database.read() as connection:
            found = resumables.find(connection, upload.id, 0)
        if found is None or found.state != "complete":
            raise NoSuch(upload.id)
        return found

    def end(
        self, identifier: str, outcome: Outcome, *, before: int | None = None, staged: int | None = None
    ) -> Upload | None:
        """End an upload, and its transfer with `outcome` unless it is complete; a stored file stays.

        Returns the upload as it was; None where it does not exist, does not expire `before` that time, or is being made
        another blob than `staged`.
        """

        def work(connection: sa.Connection) -> Upload | None:
            quotas.lock(connection)
            gone = resumables.remove(connection, identifier, before=before, staged=staged)
            if gone is not None and gone.state != "complete":
                quotas.release(connection, identifier)
                transfer = gone.transfer()
                with logs.request_scope(transfer.request_id):
                    self._uploads.recorder.end(connection, transfer, outcome)
            return gone

        gone = self._commits.run(work)
        if gone is not None:
            self._forget(identifier)
            if gone.state == "sealed":
                self._uploads.remove(SealedBlob(gone.staged, gone.length, gone.sha256))
        return gone

    def close(self) -> None:
        """Wait a while for the completions under way; another process continues the rest."""
        self._stopping.set()
        deadline = time.monotonic() + _CLOSE_S
        for thread in tuple(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _take_over(self, upload: Upload) -> bool:
        """Continue a completion whose process is gone or has failed at it; False while it runs."""
        processes, now = self._processes, self._processes.now()
        if upload.process != processes.own and not processes.lapsed(upload.process, upload.lease_until, now):
            return False
        staged = self._uploads.ids.next()
        taken = replace(upload, staged=staged, process=processes.own, lease_until=now + LEASE_MS)
        return self._launch(taken, lambda write: resumables.take_completion(write, upload, taken))

    def _launch(self, upload: Upload, claim: Callable[[sa.Connection], bool], sha256: Any | None = None) -> bool:
        """Start the completion of an upload that `claim` assigns to this process; False where that is not possible."""
        task = _Task(upload)
        with self._lock:
            if upload.id in self._tasks:
                return False
            # Entered before the claim is committed: no request of this process must take the claim for a failed one.
            self._tasks[upload.id] = task
        try:
            claimed = self._commits.run(claim)
        except BaseException:
            self._finish(task)
            raise
        if not claimed:
            self._finish(task)
            return False
        if sha256 is not None:
            # From here on the bytes do not change.
            self._digests.put(upload.id, upload.length, sha256)
        try:
            self._start(task)
        except RuntimeError as error:
            logs.get("uploads").error("upload.no_thread", upload=upload.id, error=repr(error))
            self._release(upload)
            self._finish(task)
            raise TemporarilyUnavailable from error
        return True

    def _start(self, task: _Task) -> None:
        """Start the thread of a completion, and with the first one that of the leases; RuntimeError."""
        thread = threading.Thread(target=self._run, args=(task,), name="upload-completion", daemon=True)
        with self._lock:
            if not self._processes.local and self._renewer is None:
                renewer = threading.Thread(target=self._renew, name="upload-leases", daemon=True)
                renewer.start()
                self._renewer = renewer
            # `_finish`, which needs the lock too, removes it.
            thread.start()
            self._threads.add(thread)

    def _finish(self, task: _Task) -> None:
        with self._lock:
            self._tasks.pop(task.upload.id, None)
            self._threads.discard(threading.current_thread())
        task.done.set()

    def _renew(self) -> None:
        """Keep the leases of this process's completions: between machines only they show that it lives."""
        while not self._stopping.wait(_RENEW_S):
            try:
                now = self._processes.now()
                own, until = self._processes.own, now + LEASE_MS
                self._commits.run(functools.partial(resumables.renew, process=own, now=now, lease_until=until))
            except Unavailable as error:
                logs.get("uploads").warning("lease.not_renewed", error=str(error))

    def _run(self, task: _Task) -> None:
        try:
            with logs.request_scope(task.upload.transfer().request_id):
                self._complete(task.upload)
        except BaseException as error:  # noqa: BLE001 -- the requests that wait for the task raise it
            task.error = error
            if not isinstance(error, MftError):
                # For example no memory: the upload must not wait for the end of this process.
                self._release(task.upload)
        finally:
            self._finish(task)

    def _complete(self, upload: Upload) -> None:
        """Seal an upload; then commit it, unless that is left to another call."""
        try:
            pending = self._pending(upload)
            blob = self._seal(pending, upload)
        except (OSError, TemporarilyUnavailable) as error:
            # The disk may have room again, the bucket or the scanner may be back, when the client asks again.
            logs.get("uploads").warning("upload.waiting", upload=upload.id, error=repr(error))
            if not self._release(upload):
                # The upload was ended meanwhile, and its bytes are gone; or another process completes it.
                raise Superseded from error
            raise refusal_of(error) from error
        except Unavailable:
            self._release(upload)
            raise
        except RequestRejected as refusal:
            self.end(upload.id, Outcome(reason=refusal.reason), staged=upload.staged)
            raise
        try:
            if upload.two_step:
                self._record_seal(upload, blob)
            else:
                self._commit(pending, blob, upload)
        except RequestRejected as refusal:
            if not isinstance(refusal, Superseded):
                self.end(upload.id, Outcome(reason=refusal.reason), staged=upload.staged)
            self._uploads.remove(blob)
            raise
        except Unavailable:
            # The commit may have been carried out: the blob stays, and a sweep removes it where it was not.
            self._release(upload)
            raise

    def _seal(self, pending: PendingUpload, upload: Upload) -> SealedBlob:
        with self._commits.database.read() as connection:
            pieces = resumables.pieces_of(connection, upload.id)
        try:
            self._uploads.assemble(pending, upload.id, upload.staged, pieces, self._digests.of(upload))
            return self._uploads.seal(pending, {}, register=False)
        finally:
            pending.discard()

    def _release(self, upload: Upload) -> bool:
        """Leave a completion that failed to the next request that asks for it; False where it is no longer ours."""
        try:
            return self._commits.run(lambda write: resumables.release_completion(write, upload.id, upload.staged))
        except Unavailable:
            return True

    def _record_seal(self, upload: Upload, blob: SealedBlob) -> None:
        if not self._commits.run(lambda write: resumables.seal(write, upload.id, blob.fileset, blob.sha256)):
            raise Superseded

    def _commit(self, pending: PendingUpload, blob: SealedBlob, upload: Upload) -> StoredUpload:
        """Commit the file and the end of its upload in one transaction (S11); Superseded."""
        # A job stores many files, and repeats a commit at once or never.
        life = min(self._life, _REPEAT_MS) if upload.two_step else self._life
        expires_at = self._uploads.now() + life

        def claim(connection: sa.Connection) -> None:
            if not resumables.complete(connection, upload.id, blob.fileset, sha256=blob.sha256, expires_at=expires_at):
                raise Superseded

        def also(connection: sa.Connection, stored: StoredUpload) -> None:
            # Where the quota is no longer configured, the commit of the file has not released it.
            quotas.release(connection, upload.id)
            if stored.replaced is not None:
                resumables.set_replaced(connection, upload.id, stored.replaced)

        pending.claim, pending.also = claim, also
        stored = self._uploads.commit(pending, blob)
        self._forget(upload.id)
        return stored

    def _pending(self, upload: Upload) -> PendingUpload:
        with self._commits.database.read() as connection:
            folder = self._uploads.access.folder_of(
                connection, canonical(upload.path.encode()), upload.owner, "write", NoFilename()
            )
        return PendingUpload(
            folder=folder,
            name=upload.name,
            owner=upload.owner,
            transfer=upload.transfer(),
            preconditions=Preconditions(upload.if_match or None, upload.if_none_match or None),
            reject=upload.reject,
            length=upload.length,
            keep_metadata=self._keep_metadata,
            datatype=upload.datatype,
            attributes=json.loads(upload.attributes),
            began_at=upload.began_at,
            reservation=upload.id,
        )

    def _forget(self, identifier: str) -> None:
        self._digests.forget(identifier)
        try:
            self._uploads.blobs.drop(identifier)
        except OSError as error:
            logs.get("uploads").warning("upload.bytes_left", upload=identifier, error=repr(error))
