"""Delete files, each with its event in one transaction."""

import sqlalchemy as sa

from filestore_svc.domain.files import StoredFile, event_fields
from filestore_svc.errors import OtherContent
from filestore_svc.operations.lookup import FoundFile
from filestore_svc.store import files
from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import outbox
from filestore_svc.wire.headers import Preconditions
from mft_common.clock import Clock
from mft_common.events.catalogue.files import FileDeleted
from mft_common.identity import Identity


class Deletions:
    """Deletes files that were found."""

    def __init__(self, commits: Commits, now: Clock) -> None:
        self._commits = commits
        self._now = now

    def delete(
        self, identity: Identity, account: str, found: FoundFile, *, preconditions: Preconditions | None = None,
        fileset: int | None = None,
    ) -> StoredFile:  # fmt: skip
        """Delete a file; OtherContent unless it has `fileset`, where one is given."""

        def work(connection: sa.Connection) -> StoredFile:
            file = found.lock_current(connection, self._now())
            if preconditions is not None:
                preconditions.check(file)
            if fileset is not None and file.fileset != fileset:
                raise OtherContent
            files.remove(connection, file.fileset, self._now())
            deleted = FileDeleted(
                **event_fields(file), account=account, address=identity.address, reason="deleted",
                transfer_id=identity.transfer_id,
            )  # fmt: skip
            outbox.add(connection, deleted)
            return file

        return self._commits.run(work)
