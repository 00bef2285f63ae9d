"""Find, put and remove files for whoever may: what the vendor's calls and the internal interface share."""

import sqlalchemy as sa

from filestore_svc.domain.files import Folder, StoredFile, event_fields
from filestore_svc.domain.paths import Target
from filestore_svc.errors import AlreadyExists, NoFilename, OtherContent, Refused
from filestore_svc.operations.access import Access
from filestore_svc.operations.admission import Admission
from filestore_svc.operations.describing import Describing
from filestore_svc.operations.downloads import Downloads, Sending
from filestore_svc.operations.metering import Quotas
from filestore_svc.operations.places import Place, Places
from filestore_svc.operations.reads import OpenReads
from filestore_svc.operations.scanning import Scanning
from filestore_svc.operations.transfers import TransferRecorder
from filestore_svc.operations.uploads import Intake, Uploads
from filestore_svc.store import files, folders
from filestore_svc.store.blobs import Blobs
from filestore_svc.store.commits import Commits
from filestore_svc.store.tables import outbox
from filestore_svc.wire.headers import Preconditions
from mft_common.clock import Clock
from mft_common.database.statements import ReadConnection
from mft_common.events.catalogue.files import FileDeleted
from mft_common.identity import Identity


class Vault:
    """The files, behind the access lists."""

    def __init__(
        self,
        access: Access,
        commits: Commits,
        blobs: Blobs,
        recorder: TransferRecorder,
        quotas: Quotas,
        *,
        reads: OpenReads,
        now: Clock,
        scanning: Scanning | None = None,
    ) -> None:
        self.access = access
        self.now = now
        self.commits = commits
        self.recorder = recorder
        self.places = Places(access, commits.database, now)
        self.describing = Describing(commits, now)
        self.admission = Admission(commits.database, blobs, quotas.limits)
        self.uploads = Uploads(commits, blobs, recorder, quotas, now, scanning=scanning)
        self._downloads = Downloads(blobs, reads, recorder, quotas.limits, now)

    def begin_upload(
        self,
        identity: Identity,
        account: str,
        target: Target,
        *,
        preconditions: Preconditions,
        reject: bool,
        only_folder: Refused,
        least: int,
    ) -> Intake:
        """Make every check that comes before a body is read, then begin the transfer (S1).

        `least` is how many bytes the file must have at least, by the declared length of the body.
        """
        folder, _ = self.writable(account, target, preconditions=preconditions, reject=reject, only_folder=only_folder)
        self.admission.check(folder, account, least, target.name)
        return self._intake(identity, account, folder, target.name, preconditions=preconditions, reject=reject)

    def writable(
        self, account: str, target: Target, *, preconditions: Preconditions, reject: bool, only_folder: Refused
    ) -> tuple[Folder, StoredFile | None]:
        """Return the folder to which `target` may be uploaded as things stand, and the file that it would replace.

        NoRight, NoPath and so on.
        """

        def look(connection: ReadConnection) -> tuple[Folder, StoredFile | None]:
            folder = self.access.folder_of(connection, target, account, "write", only_folder)
            return folder, files.find(connection, folder, target.name, self.now())

        folder, there = self.commits.database.query(look)
        preconditions.check(there)
        if reject and there is not None:
            raise AlreadyExists(target.name)
        return folder, there

    def begin_unnamed(
        self,
        identity: Identity,
        account: str,
        target: Target,
        *,
        preconditions: Preconditions,
        reject: bool,
        least: int,
    ) -> Intake:
        """Begin an upload into the folder `target`, whose body is yet to tell the name; NoRight, NoPath (18, 19)."""
        folder = self.commits.database.query(lambda look: self.access.folder(look, target, account, "write"))
        self.admission.check(folder, account, least)
        return self._intake(identity, account, folder, "", preconditions=preconditions, reject=reject)

    def name(self, intake: Intake, name: str) -> None:
        """Give an upload the name that its body told, with the checks that other uploads have had before it (S18)."""
        intake.name = name
        intake.transfer.destination = f"{intake.folder.path}/{name}"

        def look(connection: ReadConnection) -> tuple[bool, StoredFile | None]:
            there = files.find(connection, intake.folder, name, self.now())
            return folders.has(connection, intake.folder, name), there

        is_folder, there = self.commits.database.query(look)
        if is_folder:
            raise NoFilename
        intake.check(there)

    def _intake(
        self, identity: Identity, account: str, folder: Folder, name: str, *, preconditions: Preconditions, reject: bool
    ) -> Intake:
        transfer = self.recorder.begin(
            identity,
            account,
            upload=True,
            source=name,
            destination=f"{folder.path}/{name}",
            if_exists="error" if reject else "overwrite",
        )
        return Intake(
            folder=folder, name=name, owner=account, transfer=transfer, preconditions=preconditions, reject=reject
        )

    def send(self, identity: Identity, file: StoredFile, start: int, stop: int) -> Sending:
        """Open the bytes `start` to `stop` of a file that was found."""
        return self._downloads.send(identity, identity.account or "", file, start, stop)

    def remove(
        self,
        identity: Identity,
        account: str,
        place: Place,
        *,
        preconditions: Preconditions | None = None,
        fileset: int | None = None,
    ) -> StoredFile:
        """Remove a file and tell of it in one transaction; OtherContent unless it has `fileset`, where one is given."""

        def work(connection: sa.Connection) -> StoredFile:
            file = place.still(connection, self.now())
            if preconditions is not None:
                preconditions.check(file)
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
