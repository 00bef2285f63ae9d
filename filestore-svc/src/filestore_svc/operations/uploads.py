"""Take files in: receive, verify, make durable, and show them in one transaction with their events."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from filestore_svc.domain.files import DEFAULT_DATATYPE, Folder, StoredFile
from filestore_svc.domain.moves import Move, Outcome
from filestore_svc.errors import AlreadyExists, BadSyntax, Refused, TemporarilyAway
from filestore_svc.operations.moves import Moves
from filestore_svc.store import files
from filestore_svc.store.blobs import Blobs, Staging
from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import outbox
from filestore_svc.wire.bodies import no_space
from filestore_svc.wire.headers import Preconditions
from mft_common import logs
from mft_common.clock import Clock
from mft_common.errors import MftError
from mft_common.events.catalogue.files import FileStored

_IDS_AT_ONCE = 256


@dataclass(frozen=True)
class Kept:
    """A file that was stored, and the content that it replaced."""

    file: StoredFile
    replaced: int | None


@dataclass(kw_only=True)
class Intake:
    """An upload under way: into which folder, under which name, on which conditions."""

    folder: Folder
    name: str
    owner: str
    move: Move
    preconditions: Preconditions
    reject: bool
    staging: Staging | None = None
    datatype: str = DEFAULT_DATATYPE
    attributes: dict[str, str] | None = None
    began_at: int = 0

    def check(self, there: StoredFile | None) -> None:
        """Raise PreconditionFailed or AlreadyExists unless the file may be stored over the one that is there."""
        self.preconditions.check(None if there is None else there.etag)
        if self.reject and there is not None:
            raise AlreadyExists(self.name)


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

    def __init__(self, commits: Commits, blobs: Blobs, moves: Moves, now: Clock) -> None:
        self._commits = commits
        self._blobs = blobs
        self._moves = moves
        self._now = now
        self._ids = FilesetIds(commits)

    @contextmanager
    def receiving(self, intake: Intake) -> Iterator[None]:
        """Turn whatever ends an upload into one failed transfer, and leave nothing of it behind (S12, S21)."""
        try:
            yield
        except BaseException as error:
            if intake.staging is not None:
                intake.staging.discard()
            refusal = _refusal(error)
            size = intake.staging.size if intake.staging else 0
            self._moves.end_soon(intake.move, Outcome(reason=_reason(refusal), at=self._now(), bytes_sent=size))
            if refusal is error:
                raise
            logs.get("uploads").warning("upload.failed", error=repr(error))
            raise refusal from error

    def stage(self, intake: Intake, *, md5: bool = False) -> Staging:
        """Open the place where the bytes arrive."""
        intake.began_at = self._now()
        intake.staging = self._blobs.stage(md5=md5)
        return intake.staging

    def keep(self, intake: Intake, promised: dict[str, bytes]) -> Kept:
        """Check the digests, make the bytes durable, then commit the row and the events (S11, S17)."""
        staging = intake.staging
        if staging is None:
            raise BadSyntax
        staging.finish()
        if any(_digest(staging, name) != wanted for name, wanted in promised.items()):
            raise BadSyntax
        modified_at = self._now()
        fileset = self._ids.next()
        self._blobs.keep(staging, fileset)
        file = self._file(intake, staging, fileset, modified_at)
        try:
            with self._moves.closing(intake.move):
                return self._commits.run(lambda connection: self._show(connection, intake, file))
        except Refused:
            # Only of a refusal is it certain that nothing was committed; any other orphan is collected later.
            self._blobs.remove(fileset)
            raise

    def _file(self, intake: Intake, staging: Staging, fileset: int, modified_at: int) -> StoredFile:
        custom = dict(intake.attributes or {})
        return StoredFile(
            fileset=fileset,
            path=f"{intake.folder.path}/{intake.name}",
            name=intake.name,
            size=staging.size,
            sha256=staging.sha256.hexdigest(),
            datatype=intake.datatype,
            owner=intake.owner,
            dst_file_name=custom.pop("dstFileName", ""),
            correlation_id=custom.pop("correlationId", ""),
            description=custom.pop("description", ""),
            created_at=intake.began_at,
            modified_at=max(modified_at, intake.began_at),
            put_at=max(self._now(), modified_at, intake.began_at),
            custom=custom,
        )

    def _show(self, connection: sa.Connection, intake: Intake, file: StoredFile) -> Kept:
        there = files.lock(connection, intake.folder, intake.name)
        intake.check(there if there and not 0 < there.expires_at <= self._now() else None)
        replaced = None
        if there is not None:
            files.remove(connection, there.fileset, file.put_at)
            replaced = there.fileset
        files.add(connection, intake.folder, file)
        stored = FileStored(
            **event_fields(file), account=intake.owner, address=intake.move.address, replaced=replaced,
            transfer_id=intake.move.transfer_id,
        )  # fmt: skip
        outbox.add(connection, stored)
        outcome = Outcome(
            bytes_sent=file.size, fileset=file.fileset, size=file.size, sha256=file.sha256, modified_at=file.modified_at
        )
        self._moves.end(connection, intake.move, outcome)
        return Kept(file, replaced)


def event_fields(file: StoredFile) -> dict[str, Any]:
    """Return what every event of a file tells of it."""
    return {
        "path": file.path,
        "fileset": file.fileset,
        "size": file.size,
        "sha256": file.sha256,
        "datatype": file.datatype,
        "correlation_id": file.correlation_id or None,
    }


def _digest(staging: Staging, algorithm: str) -> bytes:
    digest: bytes = (staging.md5 if algorithm == "md5" else staging.sha256).digest()  # type: ignore[union-attr]
    return digest


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, MftError) else "an error inside the hub"


def _refusal(error: BaseException) -> BaseException:
    """Return how a failure is told: a full disk and a store that is away have words of their own."""
    if isinstance(error, OSError):
        return no_space(error) or TemporarilyAway()
    return error
