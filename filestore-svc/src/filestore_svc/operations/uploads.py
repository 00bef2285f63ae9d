"""Take files in: receive, verify, make durable, and show them in one transaction with their events."""

import contextlib
import functools
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from filestore_svc.domain.files import COLUMN_OF, DEFAULT_DATATYPE, MOST_CUSTOM, Folder, StoredFile, event_fields
from filestore_svc.domain.transfers import RunningTransfer
from filestore_svc.errors import AlreadyExists, BadSyntax, Refused, TemporarilyAway
from filestore_svc.operations.metering import Metered, Quotas
from filestore_svc.operations.scanning import Look, Scanning
from filestore_svc.operations.transfers import TransferRecorder, UploadRows
from filestore_svc.store import files, folders, quotas
from filestore_svc.store.blobs import Blobs, Staging
from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import outbox
from filestore_svc.wire.bodies import Sink, no_space
from filestore_svc.wire.headers import Preconditions
from mft_common import logs
from mft_common.clock import Clock
from mft_common.errors import MftError
from mft_common.events.catalogue.client_transfers import Outcome
from mft_common.events.catalogue.files import FileStored

_IDS_AT_ONCE = 256


@dataclass(frozen=True)
class StoredUpload:
    """A file that was stored, and the content that it replaced."""

    file: StoredFile
    replaced: int | None


@dataclass(kw_only=True)
class Intake:
    """An upload under way: into which folder, under which name, on which conditions."""

    folder: Folder
    name: str
    owner: str
    transfer: RunningTransfer
    preconditions: Preconditions
    reject: bool
    keep_metadata: bool = False
    staging: Staging | None = None
    # The scanner's, where there is one for this folder.
    look: Look | None = None
    datatype: str = DEFAULT_DATATYPE
    attributes: dict[str, str] | None = None
    began_at: int = 0
    # Under which name bytes of quotas were reserved for it.
    reservation: str = ""
    # What else is to be committed with the file.
    also: Callable[[sa.Connection, StoredFile], None] | None = None

    def check(self, there: StoredFile | None) -> None:
        """Raise PreconditionFailed or AlreadyExists unless the file may be stored over the one that is there."""
        self.preconditions.check(there)
        if self.reject and there is not None:
            raise AlreadyExists(self.name)

    def discard(self) -> None:
        """Let go of what has arrived."""
        if self.look is not None:
            self.look.close()
        if self.staging is not None:
            self.staging.discard()


class FilesetIds:
    """Gives out fileset ids from blocks that it takes from the database, so that most uploads need not ask it."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._left: Iterator[int] = iter(())
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return an id that nobody has had."""
        with self._lock:
            number = next(self._left, None)
            if number is None:
                self._left = iter(self._commits.run(functools.partial(files.take_ids, count=_IDS_AT_ONCE)))
                number = next(self._left)
            return number


class Uploads:
    """Stores files. A file is there once `keep` returns, and nobody sees anything of it before."""

    def __init__(
        self,
        commits: Commits,
        blobs: Blobs,
        recorder: TransferRecorder,
        quotas: Quotas,
        now: Clock,
        *,
        scanning: Scanning | None = None,
    ) -> None:
        self._commits = commits
        self._blobs = blobs
        self._recorder = recorder
        self.quotas = quotas
        self._now = now
        self._scanning = scanning
        self._ids = FilesetIds(commits)

    @contextmanager
    def receiving(self, intake: Intake) -> Iterator[None]:
        """Turn whatever ends an upload into one failed transfer, and leave nothing of it behind (S12, S21)."""
        try:
            yield
        except BaseException as error:
            intake.discard()
            refusal = refusal_of(error)
            size = intake.staging.size if intake.staging else 0
            outcome = Outcome(reason=_reason(refusal), at=self._now(), bytes_sent=size)
            self._recorder.end_soon(
                intake.transfer, outcome, functools.partial(_release, identifier=intake.reservation)
            )
            if refusal is error:
                raise
            logs.get("uploads").warning("upload.failed", error=repr(error))
            raise refusal from error

    def stage(self, intake: Intake, *, md5: bool = False) -> Sink:
        """Open the place where the bytes arrive."""
        intake.began_at = self._now()
        intake.staging = self._blobs.stage(self._ids.next(), md5=md5)
        intake.reservation = secrets.token_hex(16)
        reserve = self.quotas.reserving(intake.reservation, intake.folder.path, intake.owner)
        sink = Metered(intake.staging, self.quotas.limits.file, reserve)
        look = self._look(intake)
        return sink if look is None else look.beside(sink)

    def assemble(self, intake: Intake, upload: str, size: int, pieces: Sequence[str], sha256: Any | None) -> None:
        """Stage what came in pieces; `sha256` is the digest of all of it where it is known."""
        look = self._look(intake, size)
        watch = None if look is None else look.write
        intake.staging = self._blobs.whole(upload, self._ids.next(), size, pieces, sha256=sha256, watch=watch)

    def _look(self, intake: Intake, size: int | None = None) -> Look | None:
        if self._scanning is not None:
            intake.look = self._scanning.look(intake.folder.path, intake.name, size)
        return intake.look

    def keep(self, intake: Intake, promised: dict[str, bytes]) -> StoredUpload:
        """Check the digests, make the bytes durable, then commit the row and the events (S11, S17)."""
        staging = intake.staging
        if staging is None:
            raise BadSyntax
        staging.finish()
        if any(_digest(staging, name) != wanted for name, wanted in promised.items()):
            raise BadSyntax
        if intake.look is not None:
            intake.look.settle(staging)
        modified_at = self._now()
        self._make_durable(staging)
        file = self._file(intake, staging, modified_at)
        try:
            if intake.look is not None:
                intake.look.again(staging)
            outcome = Outcome(
                at=file.put_at, bytes_sent=file.size, fileset=file.fileset, size=file.size, sha256=file.sha256,
                modified_at=file.modified_at,
            )  # fmt: skip
            with self._recorder.closing(intake.transfer):
                rows = self._recorder.upload_rows(intake.transfer, outcome, _stored(intake, file, None))
                return self._commits.run(lambda connection: self._show(connection, intake, file, rows))
        except Refused:
            # Only of a refusal is it certain that nothing was committed; any other orphan is collected later.
            self._blobs.remove(staging.fileset)
            raise

    def _make_durable(self, staging: Staging) -> None:
        try:
            self._blobs.keep(staging)
        except OSError:
            # It may have got its name before the disk was found full.
            with contextlib.suppress(OSError):
                self._blobs.remove(staging.fileset)
            raise

    def _file(self, intake: Intake, staging: Staging, modified_at: int) -> StoredFile:
        put_at = max(self._now(), modified_at, intake.began_at)
        life = self.quotas.limits.retention_of(intake.folder.path).after_put
        file = StoredFile(
            fileset=staging.fileset,
            path=f"{intake.folder.path}/{intake.name}",
            name=intake.name,
            size=staging.size,
            sha256=staging.sha256.hexdigest(),
            datatype=intake.datatype,
            owner=intake.owner,
            created_at=intake.began_at,
            modified_at=max(modified_at, intake.began_at),
            put_at=put_at,
            expires_at=put_at + life if life else 0,
        )
        return file.described(intake.attributes or {})

    def _show(self, connection: sa.Connection, intake: Intake, file: StoredFile, rows: UploadRows) -> StoredUpload:
        limits = self.quotas.limits
        there = files.lock(connection, intake.folder, intake.name)
        intake.check(there if there and not 0 < there.expires_at <= self._now() else None)
        replaced = None
        if there is not None:
            if intake.keep_metadata:
                file = _with_metadata_of(connection, there, file, intake.attributes or {})
            files.remove(connection, there.fileset, file.put_at)
            replaced = there.fileset
        elif folders.has(connection, intake.folder, intake.name):
            raise AlreadyExists(intake.name)
        if over := limits.quotas_over(intake.folder.path, intake.owner):
            quotas.release(connection, intake.reservation)
            quotas.take(connection, over, file.size)
        files.add(connection, intake.folder, file)
        outbox.write(connection, rows(connection, _stored(intake, file, replaced)))
        if intake.also is not None:
            intake.also(connection, file)
        return StoredUpload(file, replaced)


def _stored(intake: Intake, file: StoredFile, replaced: int | None) -> FileStored:
    return FileStored(
        **event_fields(file), account=intake.owner, address=intake.transfer.address, replaced=replaced,
        transfer_id=intake.transfer.transfer_id,
    )  # fmt: skip


def _with_metadata_of(
    connection: sa.Connection, there: StoredFile, file: StoredFile, given: Mapping[str, str]
) -> StoredFile:
    """Return `file` with what clients have said of the content that it replaces, where it says nothing itself (S15)."""
    old = {key: getattr(there, column) for key, column in COLUMN_OF.items()}
    file = file.described({**old, **(files.all_custom(connection, there.fileset) or {}), **given})
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
    if isinstance(error, Refused):
        return error.reason
    return str(error) if isinstance(error, MftError) else "an error inside the hub"


def refusal_of(error: BaseException) -> BaseException:
    """Return how a failure is told: a full disk and a store that is away have words of their own."""
    if isinstance(error, OSError):
        return no_space(error) or TemporarilyAway()
    return error
