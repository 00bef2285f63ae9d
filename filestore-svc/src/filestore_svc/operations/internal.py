"""Serve the hub's other services, who act for jobs, tasks and managed transfers under the account `system`."""

import re
from collections.abc import Mapping
from typing import Any

from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.listing import FolderPage
from filestore_svc.domain.paths import Target
from filestore_svc.errors import BadSyntax, NoFilename, NoListedPath
from filestore_svc.operations.access import Caller
from filestore_svc.operations.downloads import Sending
from filestore_svc.operations.uploads import StoredUpload
from filestore_svc.operations.vault import Vault
from filestore_svc.store import listing
from filestore_svc.wire import uploads as wire
from filestore_svc.wire.headers import Preconditions
from mft_common.identity import Identity

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Internal:
    """The internal interface; every call is refused unless the caller is the hub itself."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.now = vault.now

    def system(self, identity: Identity) -> Caller:
        """Return the caller of a call of the hub's own; Forbidden for every other account."""
        return Caller(identity, self._vault.access.system(identity))

    def list_folder(self, caller: Caller, target: Target, page: FolderPage) -> list[StoredFile]:
        """Return files of a folder by name."""
        with self._vault.commits.database.read() as connection:
            folder, _ = self._vault.access.listed(connection, target, caller.account)
            if folder is None:
                raise NoListedPath
            now = self._vault.now()
            return listing.after(connection, folder, page.pattern, page.after, limit=page.limit, now=now)

    def find(self, caller: Caller, target: Target) -> StoredFile:
        """Find a file."""
        return self._vault.places.named(caller.account, target, "read", NoFilename()).file

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> Sending:
        """Open the bytes `start` to `stop` of a file that was found."""
        return self._vault.send(identity, file, start, stop)

    def store(self, identity: Identity, target: Target, environ: Mapping[str, Any]) -> StoredUpload:
        """Store a raw body; `X-Sha256` is verified, `X-If-Exists: fail` refuses to replace."""
        account = self._vault.access.system(identity)
        if target.only_folder:
            raise NoFilename
        sha256, if_exists = environ.get("HTTP_X_SHA256"), environ.get("HTTP_X_IF_EXISTS", "replace")
        if if_exists not in ("replace", "fail") or (sha256 is not None and not _SHA256.fullmatch(sha256)):
            raise BadSyntax
        intake = self._vault.begin_upload(
            identity,
            account,
            target,
            preconditions=Preconditions(),
            reject=if_exists == "fail",
            only_folder=NoFilename(),
            least=wire.raw_length(environ),
        )
        with self._vault.uploads.receiving(intake):
            sink = self._vault.uploads.stage(intake)
            for block in wire.raw_blocks(environ):
                sink.write(block)
            intake.datatype = wire.datatype_of(environ.get("HTTP_X_DATATYPE"))
            promised = {} if sha256 is None else {"sha-256": bytes.fromhex(sha256)}
            return self._vault.uploads.keep(intake, promised)

    def delete(self, caller: Caller, target: Target, fileset: int | None) -> StoredFile:
        """Delete a file; with `fileset` only while it still has that content."""
        place = self._vault.places.named(caller.account, target, "delete", BadSyntax())
        return self._vault.remove(caller.identity, caller.account, place, fileset=fileset)
