"""Answer the vendor's calls, each in the order of checks of http-mft.md S1."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.listing import Listing, Page
from filestore_svc.domain.paths import Target
from filestore_svc.errors import (
    AlreadyExists,
    BadDelete,
    BadSyntax,
    NoCredentials,
    NoFilename,
    NoFileset,
    NoSuch,
    NotAuthenticated,
    Throttled,
)
from filestore_svc.operations.downloads import Sending
from filestore_svc.operations.places import Place
from filestore_svc.operations.uploads import Intake, StoredUpload
from filestore_svc.operations.vault import Vault
from filestore_svc.schemas import Configuration, page, selection
from filestore_svc.settings import SERVICE
from filestore_svc.store import files, folders, listing
from filestore_svc.wire import metadata
from filestore_svc.wire import uploads as wire
from filestore_svc.wire.headers import preconditions
from filestore_svc.wire.queries import parameters
from mft_common import directory as accounts
from mft_common.directory import Directory
from mft_common.identity import Identity

Environ = Mapping[str, Any]


class Operations:
    """The calls of the HTTP MFT REST API 2.0. `environ` is the WSGI environment: headers, query and body."""

    def __init__(self, configuration: Configuration, directory: Directory, vault: Vault) -> None:
        self.configuration = configuration
        self.vault = vault
        self._directory = directory
        self._access = vault.access
        self._places = vault.places
        self.now = vault.now

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

    def logout(self, identity: Identity, environ: Environ) -> None:
        """End the caller's session, on every instance at once (X3)."""
        self._writer(identity, environ)
        if identity.session is not None:
            self._directory.close_session(SERVICE, identity.session)

    def upload(self, identity: Identity, target: Target, environ: Environ) -> StoredUpload:
        """Store the file of a body under the name that the URL gives (6 to 12, S14)."""
        account = self._writer(identity, environ)
        if target.only_folder:
            raise NoFilename
        form = wire.upload(environ, raw=self.configuration.raw_put)
        intake = self.vault.begin_upload(
            identity,
            account,
            target,
            preconditions=form.preconditions,
            reject=self.configuration.on_conflict == "reject",
            only_folder=NoFilename(),
            least=form.least,
        )
        return self._receive(form, intake, named=False)

    def upload_with_metadata(self, identity: Identity, target: Target, environ: Environ) -> StoredUpload:
        """Store the file of a multipart body, with its metadata, under the name that its part gives (13 to 19)."""
        account = self._writer(identity, environ)
        form = wire.upload(environ)
        reject = self.configuration.on_conflict == "reject"
        intake = self.vault.begin_unnamed(
            identity, account, target, preconditions=form.preconditions, reject=reject, least=form.least
        )
        return self._receive(form, intake, named=True)

    def _receive(self, form: wire.Upload, intake: Intake, *, named: bool) -> StoredUpload:
        """Take an upload's body; with `named` the file's part has to tell the name, and metadata has to come too."""
        uploads = self.vault.uploads
        intake.keep_metadata = self.configuration.keep_metadata

        def hear(filename: str | None) -> None:
            if named:
                self.vault.name(intake, wire.stored_name(filename))

        with uploads.receiving(intake):
            received = wire.receive(form, lambda *, md5: uploads.stage(intake, md5=md5), hear)
            if named and received.attributes is None:
                raise BadSyntax
            intake.datatype, intake.attributes = received.datatype, received.attributes
            intake.transfer.source = received.filename or intake.name
            return uploads.keep(intake, received.promised)

    def download(self, identity: Identity, target: Target) -> StoredFile:
        """Find the file that a GET or HEAD asks for (20 to 26)."""
        return self._places.named(self._access.caller(identity), target, "read", NoFilename()).file

    def fileset(self, identity: Identity, fileset: str) -> StoredFile:
        """Find the file that a GET or HEAD asks for by its id (34 to 39)."""
        return self._places.numbered(self._access.caller(identity), fileset, "read").file

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> Sending:
        """Open the bytes `start` to `stop` of a file that was found."""
        return self.vault.send(identity, file, start, stop)

    def delete_file(self, identity: Identity, target: Target, environ: Environ) -> StoredFile:
        """Delete a file; returns what it was (27 to 33)."""
        account = self._writer(identity, environ)
        place = self._places.named(account, target, "delete", BadDelete())
        return self.vault.remove(identity, account, place, preconditions=preconditions(environ))

    def delete_fileset(self, identity: Identity, fileset: str, environ: Environ) -> StoredFile:
        """Delete a file by its id; returns what it was (40 to 44)."""
        account = self._writer(identity, environ)
        place = self._places.numbered(account, fileset, "delete")
        return self.vault.remove(identity, account, place, preconditions=preconditions(environ))

    def set_metadata(self, identity: Identity, target: Target, environ: Environ) -> StoredFile:
        """Write metadata of a file (45 to 52)."""
        account = self._writer(identity, environ)
        if target.only_folder:
            raise NoFilename
        metadata.only_json(environ.get("CONTENT_TYPE"))
        return self._describe(identity, account, self._places.named(account, target, "write", NoFilename()), environ)

    def set_metadatabyid(self, identity: Identity, fileset: str, environ: Environ) -> StoredFile:
        """Write metadata of a file by its id (60 to 66)."""
        account = self._writer(identity, environ)
        if not fileset:
            raise NoFileset
        metadata.only_json(environ.get("CONTENT_TYPE"))
        return self._describe(identity, account, self._places.numbered(account, fileset, "write"), environ)

    def _describe(self, identity: Identity, account: str, place: Place, environ: Environ) -> StoredFile:
        conditions = preconditions(environ)
        conditions.check(place.file)
        return self.vault.describing.write(identity, account, place, metadata.body(environ), conditions)

    def metadata(self, identity: Identity, target: Target) -> StoredFile:
        """Read metadata of a file (53 to 59); a missing file has words of its own here (D9)."""
        account = self._access.caller(identity)
        place = self._places.named(account, target, "read", NoFilename(), NoSuch(target.name))
        return self.vault.describing.read(place)

    def metadatabyid(self, identity: Identity, fileset: str) -> StoredFile:
        """Read metadata of a file by its id (67 to 72)."""
        return self.vault.describing.read(self._places.numbered(self._access.caller(identity), fileset, "read"))

    def countelements(self, identity: Identity, target: Target, query: str) -> int:
        """Count the direct children of a folder (73 to 79)."""
        account = self._access.caller(identity)
        return self._list(account, target, Page(selection=selection(parameters(query)), limit=0)).total

    def directories(self, identity: Identity, target: Target, query: str) -> tuple[Listing, Page]:
        """List the direct children of a folder, and say how they were asked for (80 to 94)."""
        account = self._access.caller(identity)
        wanted = page(parameters(query))
        return self._list(account, target, wanted), wanted

    def _list(self, account: str, target: Target, wanted: Page) -> Listing:
        with self.vault.commits.database.read() as connection:
            folder, visible = self._access.listed(connection, target, account)
            return listing.listing(connection, folder, visible, wanted, self.vault.now())

    def create_folder(self, identity: Identity, target: Target, environ: Environ) -> str:
        """Make a folder; returns its path (X2). AlreadyExists where a folder or a file has its name."""
        account = self._writer(identity, environ)
        with self.vault.commits.database.read() as connection:
            parent = self._access.parent(connection, target, account)

        def work(connection: sa.Connection) -> str:
            # Whoever stores a file of that name waits for the same lock.
            there = files.lock(connection, parent, target.name)
            if there is not None or folders.has(connection, parent, target.name):
                raise AlreadyExists(target.name)
            return folders.make(connection, parent, target.name).path

        return self.vault.commits.run(work)

    def _writer(self, identity: Identity, environ: Environ) -> str:
        return self._access.writer(identity, environ.get("HTTP_ORIGIN"))
