"""Answer the vendor's calls, each in the order of checks of http-mft.md S1."""

from collections.abc import Mapping
from typing import Any

from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.listing import Listing, Page
from filestore_svc.domain.paths import Target
from filestore_svc.errors import BadDelete, Braked, NoCredentials, NoFilename, NotAuthenticated
from filestore_svc.operations.downloads import Sending
from filestore_svc.operations.uploads import Kept
from filestore_svc.operations.vault import Vault
from filestore_svc.schemas import Configuration, page
from filestore_svc.settings import SERVICE
from filestore_svc.store import listing
from filestore_svc.wire import uploads as wire
from filestore_svc.wire.headers import preconditions
from filestore_svc.wire.queries import parameters
from mft_common import directory as accounts
from mft_common.directory import Directory
from mft_common.identity import Identity


class Operations:
    """The calls of the HTTP MFT REST API 2.0. `environ` is the WSGI environment: headers, query and body."""

    def __init__(self, configuration: Configuration, directory: Directory, vault: Vault) -> None:
        self.configuration = configuration
        self.vault = vault
        self._directory = directory
        self._access = vault.access

    def login_basic(self, identity: Identity, user: str, password: str) -> tuple[str, str]:
        """Open a session; returns the account's name and the session's token (1 to 5).

        NoCredentials, NotAuthenticated, Braked.
        """
        if not user or not password:
            raise NoCredentials
        answer = self._directory.verify(SERVICE, user, password, identity.address)
        if isinstance(answer, accounts.Braked):
            raise Braked(answer.seconds)
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

    def upload(self, identity: Identity, target: Target, environ: Mapping[str, Any]) -> Kept:
        """Store the file of a multipart body under the name that the URL gives (6 to 12)."""
        account = self._access.writer(identity, environ.get("HTTP_ORIGIN"))
        if target.only_folder:
            raise NoFilename
        form = wire.form_upload(environ)
        intake = self.vault.begin_upload(
            identity,
            account,
            target,
            preconditions=form.preconditions,
            reject=self.configuration.on_conflict == "reject",
            only_folder=NoFilename(),
        )
        uploads = self.vault.uploads
        with uploads.receiving(intake):
            received = wire.receive(form, lambda *, md5: uploads.stage(intake, md5=md5))
            intake.datatype, intake.attributes = received.datatype, received.attributes
            intake.move.source = received.filename or intake.name
            return uploads.keep(intake, received.promised)

    def download(self, identity: Identity, target: Target) -> StoredFile:
        """Find the file that a GET or HEAD asks for (20 to 26)."""
        return self.vault.find(self._access.caller(identity), target, "read", NoFilename())

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> Sending:
        """Open the bytes `start` to `stop` of a file that was found."""
        return self.vault.send(identity, file, start, stop)

    def delete_file(self, identity: Identity, target: Target, environ: Mapping[str, Any]) -> StoredFile:
        """Delete a file; returns what it was (27 to 33)."""
        account = self._access.writer(identity, environ.get("HTTP_ORIGIN"))
        if target.only_folder:
            raise BadDelete
        return self.vault.remove(
            identity, account, target, only_folder=BadDelete(), preconditions=preconditions(environ)
        )

    def directories(self, identity: Identity, target: Target, query: str) -> tuple[Listing, Page]:
        """List the direct children of a folder, and say how they were asked for (80 to 94)."""
        account = self._access.caller(identity)
        wanted = page(parameters(query))
        with self.vault.commits.database.read() as connection:
            folder, visible = self._access.listed(connection, target, account)
            return listing.listing(connection, folder, visible, wanted, self.vault.now()), wanted
