"""Read and write the metadata of files."""

from collections.abc import Mapping
from dataclasses import replace

import sqlalchemy as sa

from filestore_svc.domain.files import MOST_CUSTOM, StoredFile, event_fields
from filestore_svc.errors import BadSyntax
from filestore_svc.operations.lookup import FoundFile
from filestore_svc.store import files
from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import outbox
from filestore_svc.wire.headers import Preconditions
from mft_common.clock import Clock
from mft_common.events.catalogue.files import FileDescribed
from mft_common.identity import Identity


class Describing:
    """The metadata calls, after the file was found."""

    def __init__(self, commits: Commits, now: Clock) -> None:
        self._commits = commits
        self._now = now

    def read(self, found: FoundFile) -> StoredFile:
        """Return a file with all custom attributes, sorted by name."""
        with self._commits.database.read() as connection:
            custom = files.all_custom(connection, found.file.fileset)
        if custom is None:
            raise found.missing
        return replace(found.file, custom=custom)

    def write(
        self, identity: Identity, account: str, found: FoundFile, given: Mapping[str, str], preconditions: Preconditions
    ) -> StoredFile:
        """Add and replace attributes, with the event in one transaction; no date and no fileset changes (45, S25).

        BadSyntax where there would be more custom ones than a file may have (S24).
        """

        def work(connection: sa.Connection) -> StoredFile:
            file = found.lock_current(connection, self._now())
            preconditions.check(file)
            if not given:
                return file
            custom = files.all_custom(connection, file.fileset) or {}
            file = replace(file, custom=custom).described(given)
            if len(file.custom) > MOST_CUSTOM:
                raise BadSyntax
            files.describe(connection, file.fileset, given)
            described = FileDescribed(
                **event_fields(file),
                account=account,
                address=identity.address,
                keys=tuple(sorted(given)),
                transfer_id=identity.transfer_id,
            )
            outbox.add(connection, described)
            return file

        return self._commits.run(work)
