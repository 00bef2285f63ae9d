"""Store files: check, receive, verify, make durable, then commit the row with its events."""

import contextlib
import functools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa

from filestore_svc.domain.client_transfers import Outcome
from filestore_svc.domain.files import COLUMN_OF, MOST_CUSTOM, Folder, StoredFile, event_fields
from filestore_svc.domain.paths import Target
from filestore_svc.errors import AlreadyExists, BadSyntax, NoFilename, RequestRejected, TemporarilyUnavailable
from filestore_svc.operations.access import Access
from filestore_svc.operations.fileset_ids import FilesetIds
from filestore_svc.operations.pending import PendingUpload, SealedBlob, StoredUpload
from filestore_svc.operations.quotas import LEASE_MS, Quotas
from filestore_svc.operations.scanning import Scanning, UploadScan
from filestore_svc.operations.transfers import TransferRecorder, UploadRows
from filestore_svc.store import files, folders, quotas, staged_blobs
from filestore_svc.store.blobs import Blobs, Staging
from filestore_svc.store.commits import Commits
from filestore_svc.store.partials import Digested
from filestore_svc.store.processes import Processes
from filestore_svc.store.tables import outbox
from filestore_svc.wire.bodies import Sink, no_space
from filestore_svc.wire.headers import Preconditions
from mft_common import logs
from mft_common.clock import Clock
from mft_common.database.statements import ReadConnection
from mft_common.errors import MftError, Unavailable
from mft_common.events.catalogue.files import FileStored
from mft_common.identity import Identity

# An upload that took longer than the first registers its blob before the bytes are durable; an unregistered one is not
# committed after the second, half of the age at which a sweep takes a blob without a row for an orphan.
_REGISTER_AFTER_MS: Final = 600_000
_UNREGISTERED_MS: Final = 1_800_000


class Uploads:
    """Stores files. A file exists once `commit` returns, and nothing of it is visible before."""

    def __init__(
        self, *, access: Access, commits: Commits, blobs: Blobs, recorder: TransferRecorder, quotas: Quotas,
        processes: Processes, now: Clock, scanning: Scanning | None = None,
    ) -> None:  # fmt: skip
        self.access = access
        self.commits = commits
        self.blobs = blobs
        self.recorder = recorder
        self.quotas = quotas
        self.now = now
        self.ids = FilesetIds(commits)
        self._processes = processes
        self._scanning = scanning

    def begin(
        self, identity: Identity, account: str, target: Target, *, preconditions: Preconditions, reject: bool,
        only_folder: RequestRejected, minimum_size: int, length: int | None,
    ) -> PendingUpload:  # fmt: skip
        """Make every check that comes before a body is read, then begin the transfer (S1).

        `length` is the declared length of the body, `least` the least size of the file in such a body.
        """
        folder, _ = self.writable(account, target, preconditions=preconditions, reject=reject, only_folder=only_folder)
        self.quotas.check(folder, account, minimum_size, target.name)
        return self._pending(identity, account, folder, target.name, preconditions, reject=reject, length=length)

    def begin_unnamed(
        self, identity: Identity, account: str, target: Target, *, preconditions: Preconditions, reject: bool,
        minimum_size: int, length: int | None,
    ) -> PendingUpload:  # fmt: skip
        """Begin an upload into the folder `target`, whose body tells the name; NoRight, NoPath (18, 19)."""
        folder = self.commits.database.query(lambda read: self.access.folder(read, target, account, "write"))
        self.quotas.check(folder, account, minimum_size)
        return self._pending(identity, account, folder, "", preconditions, reject=reject, length=length)

    def writable(
        self, account: str, target: Target, *, preconditions: Preconditions, reject: bool, only_folder: RequestRejected
    ) -> tuple[Folder, StoredFile | None]:
        """Return the folder to which `target` may be uploaded at present, and the file that it would replace.

        NoRight, NoPath and so on.
        """

        def read(connection: ReadConnection) -> tuple[Folder, StoredFile | None]:
            folder = self.access.folder_of(connection, target, account, "write", only_folder)
            return folder, files.find(connection, folder, target.name, self.now())

        folder, existing = self.commits.database.query(read)
        preconditions.check(existing)
        if reject and existing is not None:
            raise AlreadyExists(target.name)
        return folder, existing

    def set_name(self, pending: PendingUpload, name: str) -> None:
        """Give an upload the name that its body told, with the checks that a name of the URL has passed (S18)."""
        pending.name = name
        pending.transfer.destination = f"{pending.folder.path}/{name}"

        def read(connection: ReadConnection) -> tuple[bool, StoredFile | None]:
            existing = files.find(connection, pending.folder, name, self.now())
            return folders.has(connection, pending.folder, name), existing

        is_folder, existing = self.commits.database.query(read)
        if is_folder:
            raise NoFilename
        pending.check(existing)

    @contextmanager
    def receiving(self, pending: PendingUpload) -> Iterator[None]:
        """Turn every error of the block into one failed transfer, and remove the staged bytes (S12, S21)."""
        try:
            yield
        except BaseException as error:
            pending.discard()
            refusal = refusal_of(error)
            size = pending.staging.size if pending.staging else 0
            outcome = Outcome(reason=_reason(refusal), at=self.now(), bytes_sent=size)
            release = functools.partial(_release, identifier=pending.reservation)
            self.recorder.end_soon(pending.transfer, outcome, release, unanswered=pending.unanswered)
            if refusal is error:
                raise
            logs.get("uploads").warning("upload.failed", error=repr(error))
            raise refusal from error

    def stage(self, pending: PendingUpload, *, md5: bool = False) -> Sink:
        """Return the sink for the bytes of an upload."""
        pending.began_at = self.now()
        pending.staging = self.blobs.stage(self.ids.next(), md5=md5)
        pending.reservation = secrets.token_hex(16)
        sink = self.quotas.meter(
            pending.staging, pending.reservation, pending.folder.path, pending.owner, pending.length
        )
        scan = self._scan(pending)
        return sink if scan is None else scan.beside(sink)

    def assemble(
        self, pending: PendingUpload, upload: str, fileset: int, pieces: Sequence[str], digested: Digested
    ) -> None:
        """Stage the complete bytes of a resumable upload."""
        size = pending.length or 0
        scan = self._scan(pending, size)
        watch = None if scan is None else scan.write
        pending.staging = self.blobs.whole(upload, fileset, size, pieces, digested=digested, watch=watch)

    def _scan(self, pending: PendingUpload, size: int | None = None) -> UploadScan | None:
        if self._scanning is not None:
            pending.scan = self._scanning.begin(pending.folder.path, pending.name, size)
        return pending.scan

    def keep(self, pending: PendingUpload, promised: Mapping[str, bytes]) -> StoredUpload:
        """Seal and commit; remove the blob of an upload that is refused."""
        blob = self.seal(pending, promised, register=True)
        try:
            return self.commit(pending, blob)
        except RequestRejected:
            # A refusal proves that nothing was committed; after other errors the blob may have its row.
            self.remove(blob)
            raise
        except Unavailable:
            pending.unanswered = blob.fileset
            raise

    def seal(self, pending: PendingUpload, promised: Mapping[str, bytes], *, register: bool) -> SealedBlob:
        """Check the digests, scan, and make the bytes durable under their fileset id (S11, S17).

        With `register` a slow upload is entered among the staged blobs first; a resumable one names its blob itself.
        """
        staging, scan = pending.staging, pending.scan
        if staging is None:
            raise BadSyntax
        staging.finish()
        if any(_digest(staging, name) != wanted for name, wanted in promised.items()):
            raise BadSyntax
        if scan is not None:
            scan.finish(staging)
        slow = self.now() - pending.began_at >= _REGISTER_AFTER_MS or (scan is not None and scan.pending)
        blob = SealedBlob(staging.fileset, staging.size, staging.sha256.hexdigest(), registered=register and slow)
        if blob.registered:
            lease = self._processes.now() + LEASE_MS
            self.commits.run(lambda write: staged_blobs.add(write, blob.fileset, self._processes.own, lease))
        try:
            self.blobs.keep(staging)
            if scan is not None:
                scan.repeat(staging)
        except (OSError, RequestRejected):
            # The blob may have got its name before the disk was found full.
            self.remove(blob)
            raise
        return blob

    def remove(self, blob: SealedBlob) -> None:
        """Remove a blob that was not committed; a sweep removes it later where the store does not answer."""
        with contextlib.suppress(OSError):
            self.blobs.remove(blob.fileset)
        if blob.registered:
            with contextlib.suppress(Unavailable):
                self.commits.run(lambda write: staged_blobs.remove(write, blob.fileset))

    def commit(self, pending: PendingUpload, blob: SealedBlob) -> StoredUpload:
        """Commit the file's row, the events and the end of the transfer in one transaction."""
        file = self._file(pending, blob)
        outcome = Outcome(
            at=file.put_at, bytes_sent=file.size, fileset=file.fileset, size=file.size, sha256=file.sha256,
            modified_at=file.modified_at,
        )  # fmt: skip
        with self.recorder.closing(pending.transfer):
            rows = self.recorder.upload_rows(pending.transfer, outcome, _stored(pending, file, None))
            return self.commits.run(lambda write: self._insert(write, pending, blob, file, rows))

    def _file(self, pending: PendingUpload, blob: SealedBlob) -> StoredFile:
        at = max(self.now(), pending.began_at)
        life = self.quotas.limits.retention_of(pending.folder.path).after_put
        file = StoredFile(
            fileset=blob.fileset,
            path=f"{pending.folder.path}/{pending.name}",
            name=pending.name,
            size=blob.size,
            sha256=blob.sha256,
            datatype=pending.datatype,
            owner=pending.owner,
            created_at=pending.began_at,
            modified_at=at,
            put_at=at,
            expires_at=at + life if life else 0,
        )
        return file.described(pending.attributes or {})

    def _insert(
        self, connection: sa.Connection, pending: PendingUpload, blob: SealedBlob, file: StoredFile, rows: UploadRows
    ) -> StoredUpload:
        limits = self.quotas.limits
        existing = files.lock(connection, pending.folder, pending.name)
        self._check_registration(connection, pending, blob)
        pending.check(existing if existing and not 0 < existing.expires_at <= self.now() else None)
        replaced = None
        if existing is not None:
            if pending.keep_metadata:
                file = _with_metadata_of(connection, existing, file, pending.attributes or {})
            files.remove(connection, existing.fileset, file.put_at)
            replaced = existing.fileset
        elif folders.has(connection, pending.folder, pending.name):
            raise AlreadyExists(pending.name)
        if over := limits.quotas_over(pending.folder.path, pending.owner):
            quotas.release(connection, pending.reservation)
            quotas.take(connection, over, file.size)
        files.add(connection, pending.folder, file)
        outbox.write(connection, rows(connection, _stored(pending, file, replaced)))
        stored = StoredUpload(file, replaced)
        if pending.also is not None:
            pending.also(connection, stored)
        return stored

    def _check_registration(self, connection: sa.Connection, pending: PendingUpload, blob: SealedBlob) -> None:
        """Refuse to commit a blob that a sweep may have removed: its registration is gone, or it waited for too long.

        A resumable upload claims its own row instead; of two commits of one upload the second finds it claimed, before
        it could meet the file of the first.
        """
        if pending.claim is not None:
            pending.claim(connection)
        elif blob.registered:
            if not staged_blobs.remove(connection, blob.fileset):
                raise TemporarilyUnavailable
        elif self.now() - pending.began_at >= _UNREGISTERED_MS:
            raise TemporarilyUnavailable

    def forget_dead(self) -> int:
        """Remove the registrations of dead processes, whose blobs are orphans from here on; return how many."""
        dead = self._processes.abandoned(self.commits.database, staged_blobs.owned)
        for row in dead:
            self.commits.run(functools.partial(staged_blobs.remove, fileset=row.key))
        return len(dead)

    def _pending(
        self, identity: Identity, account: str, folder: Folder, name: str, preconditions: Preconditions, *,
        reject: bool, length: int | None,
    ) -> PendingUpload:  # fmt: skip
        transfer = self.recorder.begin(
            identity, account, upload=True, source=name, destination=f"{folder.path}/{name}",
            if_exists="error" if reject else "overwrite",
        )  # fmt: skip
        return PendingUpload(
            folder=folder, name=name, owner=account, transfer=transfer, preconditions=preconditions, reject=reject,
            length=length,
        )  # fmt: skip


def _stored(pending: PendingUpload, file: StoredFile, replaced: int | None) -> FileStored:
    return FileStored(
        **event_fields(file), account=pending.owner, address=pending.transfer.address, replaced=replaced,
        transfer_id=pending.transfer.transfer_id,
    )  # fmt: skip


def _with_metadata_of(
    connection: sa.Connection, existing: StoredFile, file: StoredFile, given: Mapping[str, str]
) -> StoredFile:
    """Return `file` with the client's attributes of the file that it replaces, where it sets none itself (S15)."""
    old = {key: getattr(existing, column) for key, column in COLUMN_OF.items()}
    file = file.described({**old, **(files.all_custom(connection, existing.fileset) or {}), **given})
    if len(file.custom) > MOST_CUSTOM:
        raise BadSyntax
    return file


def _release(connection: sa.Connection, identifier: str) -> None:
    if identifier:
        quotas.release(connection, identifier)


def _digest(staging: Staging, algorithm: str) -> bytes:
    digest: bytes = (staging.md5 if algorithm == "md5" else staging.sha256).digest()  # type: ignore[union-attr]
    return digest


def _reason(error: BaseException) -> str:
    if isinstance(error, RequestRejected):
        return error.reason
    return str(error) if isinstance(error, MftError) else "an error inside the hub"


def refusal_of(error: BaseException) -> BaseException:
    """Return how an error is answered: a full disk and a store that is away have refusals of their own."""
    if isinstance(error, OSError):
        return no_space(error) or TemporarilyUnavailable()
    return error
