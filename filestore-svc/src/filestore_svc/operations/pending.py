"""Describe an upload under way, from its first check to the commit of its file."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from filestore_svc.domain.files import DEFAULT_DATATYPE, Folder, StoredFile
from filestore_svc.domain.transfers import RunningTransfer
from filestore_svc.errors import AlreadyExists
from filestore_svc.operations.scanning import UploadScan
from filestore_svc.store.blobs import Staging
from filestore_svc.wire.headers import Preconditions


@dataclass(frozen=True)
class StoredUpload:
    """A file that was committed, and the fileset that it replaced."""

    file: StoredFile
    replaced: int | None


@dataclass(frozen=True)
class SealedBlob:
    """Bytes that are durable under a fileset id and belong to no file yet."""

    fileset: int
    size: int
    sha256: str
    # True for one in the table of staged blobs, which the commit removes from there.
    registered: bool = False


@dataclass(kw_only=True)
class PendingUpload:
    """An upload under way: into which folder, under which name, on which conditions.

    `length` is the declared length of its body, None where it is unknown; `reservation` the id of its reserved quota;
    `unanswered` the fileset of a commit that got no answer; `claim` is run in the transaction that commits the file,
    before any other check, and `also` after all else.
    """

    folder: Folder
    name: str
    owner: str
    transfer: RunningTransfer
    preconditions: Preconditions
    reject: bool
    length: int | None = None
    keep_metadata: bool = False
    staging: Staging | None = None
    scan: UploadScan | None = None
    datatype: str = DEFAULT_DATATYPE
    attributes: dict[str, str] | None = None
    began_at: int = 0
    reservation: str = ""
    unanswered: int = 0
    claim: Callable[[sa.Connection], None] | None = None
    also: Callable[[sa.Connection, StoredUpload], None] | None = None

    def check(self, existing: StoredFile | None) -> None:
        """Raise PreconditionFailed or AlreadyExists unless the file may replace the existing one."""
        self.preconditions.check(existing)
        if self.reject and existing is not None:
            raise AlreadyExists(self.name)

    def discard(self) -> None:
        """Release the staged bytes and the scanner's connection."""
        if self.scan is not None:
            self.scan.close()
        if self.staging is not None:
            self.staging.discard()
