"""Serve the hub's other services, which act for jobs, tasks and managed transfers under the account `system`."""

from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.listing import FolderPage
from filestore_svc.domain.paths import Target
from filestore_svc.errors import BadSyntax, NoFilename, NoListedPath
from filestore_svc.operations.access import Access, Caller
from filestore_svc.operations.deletions import Deletions
from filestore_svc.operations.downloads import DownloadBody, Downloads
from filestore_svc.operations.lookup import FileLookup
from filestore_svc.operations.resuming import Resuming
from filestore_svc.store import listing
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.identity import Identity


class Internal:
    """The internal interface: `system` refuses every caller but the hub itself.

    `uploads` are the resumable uploads, of which the hub's own are two-step ones.
    """

    def __init__(
        self, *, access: Access, database: Database, lookup: FileLookup, downloads: Downloads, deletions: Deletions,
        resuming: Resuming, now: Clock,
    ) -> None:  # fmt: skip
        self._access = access
        self._database = database
        self._lookup = lookup
        self._downloads = downloads
        self._deletions = deletions
        self.uploads = resuming
        self.now = now

    def system(self, identity: Identity) -> Caller:
        """Return the caller of a call of the hub's own; Forbidden for every other account."""
        return Caller(identity, self._access.system(identity))

    def list_folder(self, caller: Caller, target: Target, page: FolderPage) -> list[StoredFile]:
        """Return files of a folder by name."""
        with self._database.read() as connection:
            folder, _ = self._access.listed(connection, target, caller.account)
            if folder is None:
                raise NoListedPath
            return listing.after(connection, folder, page.pattern, page.after, limit=page.limit, now=self.now())

    def find(self, caller: Caller, target: Target) -> StoredFile:
        """Find a file."""
        return self._lookup.by_path(caller.account, target, "read", NoFilename()).file

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> DownloadBody:
        """Open the bytes `start` to `stop` of a file that was found."""
        return self._downloads.send(identity, identity.account or "", file, start, stop)

    def delete(self, caller: Caller, target: Target, fileset: int | None) -> StoredFile:
        """Delete a file; with `fileset` only while it still has that content."""
        found = self._lookup.by_path(caller.account, target, "delete", BadSyntax())
        return self._deletions.delete(caller.identity, caller.account, found, fileset=fileset)
