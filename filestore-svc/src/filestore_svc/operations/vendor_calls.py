"""Answer the vendor's calls, each in the order of checks of http-mft.md S1."""

import sqlalchemy as sa

from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.listing import Listing, Page, Selection
from filestore_svc.domain.paths import Target
from filestore_svc.errors import (
    AlreadyExists,
    BadDelete,
    BadSyntax,
    NoCredentials,
    NoFilename,
    NoSuch,
    NotAuthenticated,
    Throttled,
)
from filestore_svc.operations.access import Access, Caller
from filestore_svc.operations.deletions import Deletions
from filestore_svc.operations.describing import Describing
from filestore_svc.operations.downloads import DownloadBody, Downloads
from filestore_svc.operations.lookup import FileLookup, FoundFile
from filestore_svc.operations.pending import PendingUpload, StoredUpload
from filestore_svc.operations.uploads import Uploads
from filestore_svc.schemas import Configuration
from filestore_svc.settings import SERVICE
from filestore_svc.store import files, folders, listing
from filestore_svc.store.commits import Commits
from filestore_svc.wire import uploads as wire
from filestore_svc.wire.headers import Preconditions
from filestore_svc.wire.metadata import MetadataUpdate
from mft_common import directory as accounts
from mft_common.clock import Clock
from mft_common.directory import Directory
from mft_common.identity import Identity


class Operations:
    """The calls of the HTTP MFT REST API 2.0.

    `reader` and `writer` say who calls; every other operation but the login takes the caller that they return.
    """

    def __init__(
        self, *, configuration: Configuration, directory: Directory, access: Access, commits: Commits,
        lookup: FileLookup, uploads: Uploads, downloads: Downloads, describing: Describing, deletions: Deletions,
        now: Clock,
    ) -> None:  # fmt: skip
        self.configuration = configuration
        self.now = now
        self._directory = directory
        self._access = access
        self._commits = commits
        self._lookup = lookup
        self._uploads = uploads
        self._downloads = downloads
        self._describing = describing
        self._deletions = deletions

    def login_basic(self, identity: Identity, user: str, password: str) -> tuple[str, str]:
        """Open a session; returns the account's name and the session's token (1 to 5).

        NoCredentials, NotAuthenticated, Throttled.
        """
        if not user or not password:
            raise NoCredentials
        answer = self._directory.verify(SERVICE, user, password, identity.address)
        if isinstance(answer, accounts.Throttled):
            raise Throttled(answer.seconds)
        if isinstance(answer, accounts.Wrong) or answer.expired:
            raise NotAuthenticated
        sessions = self.configuration.sessions
        opened = self._directory.open_session(
            service=SERVICE,
            account=answer.name,
            address=identity.address,
            token_form="base64",  # noqa: S106 -- a form is no password
            token_bytes=16,
            idle=sessions.idle,
            absolute=sessions.absolute,
        )
        if isinstance(opened, accounts.Full):
            raise NotAuthenticated
        return answer.name, opened.token

    def reader(self, identity: Identity) -> Caller:
        """Return the caller of a call that changes nothing; NotAuthenticated, NoContract, Throttled."""
        return Caller(identity, self._access.caller(identity))

    def writer(self, identity: Identity, origin: str | None) -> Caller:
        """Return the caller of a call that writes; ForeignOrigin where the page of another site sent it (S34)."""
        return Caller(identity, self._access.writer(identity, origin))

    def logout(self, caller: Caller) -> None:
        """End the caller's session, on every instance at once (X3)."""
        if caller.identity.session is not None:
            self._directory.close_session(SERVICE, caller.identity.session)

    def upload(self, caller: Caller, target: Target, head: wire.UploadHead) -> StoredUpload:
        """Store the file of a body under the name that the URL gives (6 to 12, S14)."""
        pending = self._uploads.begin(
            caller.identity,
            caller.account,
            target,
            preconditions=head.preconditions,
            reject=self.configuration.on_conflict == "reject",
            only_folder=NoFilename(),
            minimum_size=head.minimum_size,
            length=head.length,
        )
        return self._receive(head, pending, named=False)

    def upload_with_metadata(self, caller: Caller, target: Target, head: wire.UploadHead) -> StoredUpload:
        """Store the file of a multipart body, with its metadata, under the name that its part gives (13 to 19)."""
        reject = self.configuration.on_conflict == "reject"
        pending = self._uploads.begin_unnamed(
            caller.identity,
            caller.account,
            target,
            preconditions=head.preconditions,
            reject=reject,
            minimum_size=head.minimum_size,
            length=head.length,
        )
        return self._receive(head, pending, named=True)

    def _receive(self, head: wire.UploadHead, pending: PendingUpload, *, named: bool) -> StoredUpload:
        """Receive the body of an upload; with `named` its file part gives the name, and a metadata part is required."""
        uploads = self._uploads
        pending.keep_metadata = self.configuration.keep_metadata

        def set_name(filename: str | None) -> None:
            if named:
                uploads.set_name(pending, wire.stored_name(filename))

        with uploads.receiving(pending):
            received = wire.receive(head, lambda *, md5: uploads.stage(pending, md5=md5), set_name)
            if named and received.attributes is None:
                raise BadSyntax
            pending.datatype, pending.attributes = received.datatype, received.attributes
            pending.transfer.source = received.filename or pending.name
            return uploads.keep(pending, received.promised)

    def download(self, caller: Caller, target: Target) -> StoredFile:
        """Find the file that a GET or HEAD asks for (20 to 26)."""
        return self._lookup.by_path(caller.account, target, "read", NoFilename()).file

    def fileset(self, caller: Caller, fileset: str) -> StoredFile:
        """Find the file that a GET or HEAD asks for by its id (34 to 39)."""
        return self._lookup.by_fileset(caller.account, fileset, "read").file

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> DownloadBody:
        """Open the bytes `start` to `stop` of a file that was found."""
        return self._downloads.send(identity, identity.account or "", file, start, stop)

    def delete_file(self, caller: Caller, target: Target, preconditions: Preconditions) -> StoredFile:
        """Delete a file; returns what it was (27 to 33)."""
        found = self._lookup.by_path(caller.account, target, "delete", BadDelete())
        return self._deletions.delete(caller.identity, caller.account, found, preconditions=preconditions)

    def delete_fileset(self, caller: Caller, fileset: str, preconditions: Preconditions) -> StoredFile:
        """Delete a file by its id; returns what it was (40 to 44)."""
        found = self._lookup.by_fileset(caller.account, fileset, "delete")
        return self._deletions.delete(caller.identity, caller.account, found, preconditions=preconditions)

    def set_metadata(self, caller: Caller, target: Target, update: MetadataUpdate) -> StoredFile:
        """Write metadata of a file (45 to 52)."""
        return self._describe(caller, self._lookup.by_path(caller.account, target, "write", NoFilename()), update)

    def set_metadatabyid(self, caller: Caller, fileset: str, update: MetadataUpdate) -> StoredFile:
        """Write metadata of a file by its id (60 to 66)."""
        return self._describe(caller, self._lookup.by_fileset(caller.account, fileset, "write"), update)

    def _describe(self, caller: Caller, found: FoundFile, update: MetadataUpdate) -> StoredFile:
        update.preconditions.check(found.file)
        return self._describing.write(caller.identity, caller.account, found, update.attributes(), update.preconditions)

    def metadata(self, caller: Caller, target: Target) -> StoredFile:
        """Read metadata of a file (53 to 59); a missing file has words of its own here (D9)."""
        found = self._lookup.by_path(caller.account, target, "read", NoFilename(), NoSuch(target.name))
        return self._describing.read(found)

    def metadatabyid(self, caller: Caller, fileset: str) -> StoredFile:
        """Read metadata of a file by its id (67 to 72)."""
        return self._describing.read(self._lookup.by_fileset(caller.account, fileset, "read"))

    def countelements(self, caller: Caller, target: Target, selection: Selection) -> int:
        """Count the direct children of a folder (73 to 79)."""
        return self.directories(caller, target, Page(selection=selection, limit=0)).total

    def directories(self, caller: Caller, target: Target, page: Page) -> Listing:
        """List the direct children of a folder (80 to 94)."""
        with self._commits.database.read() as connection:
            folder, visible = self._access.listed(connection, target, caller.account)
            return listing.listing(connection, folder, visible, page, self.now())

    def create_folder(self, caller: Caller, target: Target) -> str:
        """Make a folder; returns its path (X2). AlreadyExists where a folder or a file has its name."""
        with self._commits.database.read() as connection:
            parent = self._access.parent(connection, target, caller.account)

        def work(connection: sa.Connection) -> str:
            # An upload of a file of that name takes the same lock.
            there = files.lock(connection, parent, target.name)
            if there is not None or folders.has(connection, parent, target.name):
                raise AlreadyExists(target.name)
            return folders.make(connection, parent, target.name).path

        return self._commits.run(work)
