"""Find, put and remove files for whoever may: what the vendor's calls and the internal interface share."""

import sqlalchemy as sa

from filestore_svc.domain.files import Folder, Right, StoredFile
from filestore_svc.domain.paths import Target
from filestore_svc.errors import AlreadyExists, NoFile, OtherContent, Refused
from filestore_svc.operations.access import Access
from filestore_svc.operations.downloads import Downloads, Sending
from filestore_svc.operations.moves import Moves
from filestore_svc.operations.uploads import Intake, Uploads, event_fields
from filestore_svc.store import files
from filestore_svc.store.blobs import Blobs
from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import outbox
from filestore_svc.wire.headers import Preconditions
from mft_common.clock import Clock
from mft_common.events.catalogue.files import FileDeleted
from mft_common.identity import Identity


class Vault:
    """The files, behind the access lists."""

    def __init__(self, access: Access, commits: Commits, blobs: Blobs, moves: Moves, now: Clock) -> None:
        self.access = access
        self.now = now
        self.commits = commits
        self.moves = moves
        self.uploads = Uploads(commits, blobs, moves, now)
        self._downloads = Downloads(blobs, moves, now)

    def begin_upload(
        self,
        identity: Identity,
        account: str,
        target: Target,
        *,
        preconditions: Preconditions,
        reject: bool,
        only_folder: Refused,
    ) -> Intake:
        """Make every check that comes before a body is read, then begin the transfer (S1)."""
        with self.commits.database.read() as connection:
            folder = self.access.folder_of(connection, target, account, "write", only_folder)
            there = files.find(connection, folder, target.name, self.now())
        preconditions.check(None if there is None else there.etag)
        if reject and there is not None:
            raise AlreadyExists(target.name)
        move = self.moves.begin(
            identity,
            account,
            upload=True,
            source=target.name,
            destination=f"{folder.path}/{target.name}",
            if_exists="error" if reject else "overwrite",
        )
        return Intake(
            folder=folder, name=target.name, owner=account, move=move, preconditions=preconditions, reject=reject
        )

    def find(self, account: str, target: Target, right: Right, only_folder: Refused) -> StoredFile:
        """Return a file on which the account has `right`; NoRight, NoPath, NoFile."""
        if target.only_folder:
            raise only_folder
        with self.commits.database.read() as connection:
            folder = self.access.folder_of(connection, target, account, right, only_folder)
            file = files.find(connection, folder, target.name, self.now())
        if file is None:
            raise NoFile(target.name)
        return file

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> Sending:
        """Open the bytes `start` to `stop` of a file that was found."""
        return self._downloads.send(identity, identity.account or "", file, start, stop)

    def remove(
        self,
        identity: Identity,
        account: str,
        target: Target,
        *,
        only_folder: Refused,
        preconditions: Preconditions | None = None,
        fileset: int | None = None,
    ) -> StoredFile:
        """Remove a file and tell of it in one transaction; OtherContent unless it has `fileset`, where one is given."""
        with self.commits.database.read() as connection:
            folder = self.access.folder_of(connection, target, account, "delete", only_folder)

        def work(connection: sa.Connection) -> StoredFile:
            file = self._standing(connection, folder, target.name)
            if preconditions is not None:
                preconditions.check(file.etag)
            if fileset is not None and file.fileset != fileset:
                raise OtherContent
            files.remove(connection, file.fileset, self.now())
            deleted = FileDeleted(
                **event_fields(file),
                account=account,
                address=identity.address,
                reason="deleted",
                transfer_id=identity.transfer_id,
            )
            outbox.add(connection, deleted)
            return file

        return self.commits.run(work)

    def _standing(self, connection: sa.Connection, folder: Folder, name: str) -> StoredFile:
        file = files.lock(connection, folder, name)
        if file is None or 0 < file.expires_at <= self.now():
            raise NoFile(name)
        return file
