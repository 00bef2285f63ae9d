"""Serve the hub's other services, who act for jobs, tasks and managed transfers under the account `system`."""

import re
from collections.abc import Mapping
from typing import Any

from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.paths import Target
from filestore_svc.domain.wildcards import shell_pattern
from filestore_svc.errors import BadSyntax, NoFilename, NoListedPath
from filestore_svc.operations.downloads import Sending
from filestore_svc.operations.uploads import StoredUpload
from filestore_svc.operations.vault import Vault
from filestore_svc.store import listing
from filestore_svc.wire import uploads as wire
from filestore_svc.wire.headers import Preconditions
from mft_common.identity import Identity

_LARGEST_PAGE = 1000
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Internal:
    """The internal interface; every call is refused unless the caller is the hub itself."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.now = vault.now

    def list_folder(self, identity: Identity, target: Target, query: Mapping[str, str]) -> list[StoredFile]:
        """Return files of a folder by name, after the name `after`, at most `limit`."""
        account = self._vault.access.system(identity)
        limit = query.get("limit", str(_LARGEST_PAGE))
        if not re.fullmatch(r"[0-9]{1,9}", limit):
            raise BadSyntax
        with self._vault.commits.database.read() as connection:
            folder, _ = self._vault.access.listed(connection, target, account)
            if folder is None:
                raise NoListedPath
            pattern, after = shell_pattern(query.get("pattern", "")), query.get("after", "")
            return listing.after(
                connection, folder, pattern, after, limit=min(int(limit), _LARGEST_PAGE), now=self._vault.now()
            )

    def find(self, identity: Identity, target: Target) -> StoredFile:
        """Find a file."""
        account = self._vault.access.system(identity)
        return self._vault.places.named(account, target, "read", NoFilename()).file

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

    def delete(self, identity: Identity, target: Target, query: Mapping[str, str]) -> StoredFile:
        """Delete a file; with `fileset` only while it still has that content."""
        account = self._vault.access.system(identity)
        fileset = query.get("fileset")
        if target.only_folder or (fileset is not None and not re.fullmatch(r"[0-9]{1,16}", fileset)):
            raise BadSyntax
        number = None if fileset is None else int(fileset)
        place = self._vault.places.named(account, target, "delete", NoFilename())
        return self._vault.remove(identity, account, place, fileset=number)
