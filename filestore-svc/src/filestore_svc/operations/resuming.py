"""Take files in piece by piece, over as many requests, processes and days as it needs (tus 1.0, X1)."""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.paths import canonical
from filestore_svc.domain.resumable import Upload, head_of
from filestore_svc.errors import NoFilename, NoSuch, Refused, Superseded, TemporarilyAway, TooLarge, WrongOffset
from filestore_svc.operations.receiving import Receiving
from filestore_svc.operations.running import Digests
from filestore_svc.operations.uploads import Intake, refusal_of
from filestore_svc.operations.vault import Vault
from filestore_svc.schemas import Configuration
from filestore_svc.store import quotas, resumables
from filestore_svc.store.blobs import Blobs
from filestore_svc.store.tables import outbox
from filestore_svc.wire import bodies, tus
from filestore_svc.wire.headers import Preconditions
from mft_common import logs
from mft_common.events.catalogue.client_transfers import Outcome
from mft_common.identity import Identity

_AT_ONCE: Final = 100
_DELETED: Final = "the client ended the upload"
_EXPIRED: Final = "the upload has expired"


class Resuming:
    """Uploads in pieces. An upload is its owner's alone, and is nothing to be seen before its last byte is here.

    Whoever sends last goes on with an upload: the request before, which may wait for a client that has gone, finds out
    with its next byte and keeps nothing of it. So no lock is ever stuck.
    """

    def __init__(self, configuration: Configuration, vault: Vault, blobs: Blobs) -> None:
        self._configuration = configuration
        self._vault = vault
        self._blobs = blobs
        self._digests = Digests()

    @property
    def largest(self) -> int | None:
        """The length of the longest file that is taken, None where there is no limit."""
        return self._configuration.limits.file

    def create(self, identity: Identity, environ: Mapping[str, Any]) -> Upload:
        """Make every check that a PUT makes before its body, then begin the upload and its transfer."""
        account = self._vault.access.writer(identity, environ.get("HTTP_ORIGIN"))
        asked = tus.creation(environ)
        target = canonical(asked.path)
        if target.only_folder:
            raise NoFilename
        reject = self._configuration.on_conflict == "reject"
        folder, there = self._vault.writable(
            account, target, preconditions=asked.preconditions, reject=reject, only_folder=NoFilename()
        )
        self._vault.admission.check(folder, account, asked.length, target.name)
        path = f"{folder.path}/{target.name}"
        transfer = self._vault.recorder.describe(
            identity, account, upload=True, source=target.name, destination=path,
            if_exists="error" if reject else "overwrite",
        )  # fmt: skip
        now = self._vault.now()
        # A later content of the same second would pass the date again.
        pinned = asked.preconditions.pinned(there)
        upload = Upload(
            id=secrets.token_hex(16),
            path=path,
            owner=account,
            length=asked.length,
            datatype=asked.datatype,
            attributes=json.dumps(asked.attributes),
            metadata=asked.metadata,
            if_match=pinned.if_match or "",
            if_none_match=pinned.if_none_match or "",
            reject=reject,
            head=head_of(transfer),
            began_at=now,
            expires_at=now + self._life,
        )

        def work(connection: sa.Connection) -> None:
            if over := self._vault.uploads.quotas.limits.quotas_over(folder.path, account):
                quotas.reserve(connection, upload.id, folder.path, over, size=upload.length, process="", lease_until=0)
            resumables.add(connection, upload)
            outbox.add(connection, transfer.started())

        self._vault.commits.run(work)
        return upload if upload.length else self._complete(upload, "", self._digests.of(upload), [])

    def find(self, identity: Identity, identifier: str, environ: Mapping[str, Any]) -> Upload:
        """Return an upload of the caller's."""
        account = self._vault.access.caller(identity)
        tus.check_version(environ)
        return self._owned(account, identifier)

    def append(self, identity: Identity, identifier: str, environ: Mapping[str, Any]) -> Upload:
        """Take a piece; the one that brings the last byte makes the file. What came before a cut is kept."""
        account = self._vault.access.writer(identity, environ.get("HTTP_ORIGIN"))
        patch = tus.patch(environ)
        upload = self._owned(account, identifier)
        if patch.offset != upload.received:
            raise WrongOffset(headers={"Upload-Offset": str(upload.received)})
        if upload.fileset:
            return upload
        # An upload may live for days: a right that was taken away meanwhile is asked for again.
        with self._vault.commits.database.read() as connection:
            self._vault.access.folder_of(connection, canonical(upload.path.encode()), account, "write", NoFilename())
        token = secrets.token_hex(16)
        if not self._vault.commits.run(lambda connection: resumables.take_over(connection, upload, token)):
            raise Superseded
        if patch.length is not None and patch.offset + patch.length > upload.length:
            raise TooLarge
        receiving = Receiving(
            self._vault.commits, self._blobs, self._digests, upload, token=token, now=self._vault.now, life=self._life
        )
        try:
            rest = receiving.take(patch, bodies.blocks(environ["wsgi.input"], patch.length))
        except OSError as error:
            raise refusal_of(error) from error
        if rest is None:
            return receiving.upload
        return self._complete(receiving.upload, token, receiving.digest, rest)

    def terminate(self, identity: Identity, identifier: str, environ: Mapping[str, Any]) -> None:
        """End an upload, and its transfer as cancelled where the file was not complete."""
        account = self._vault.access.writer(identity, environ.get("HTTP_ORIGIN"))
        tus.check_version(environ)
        self._end(self._owned(account, identifier).id, Outcome(reason=_DELETED, cancelled=True))

    def expire(self) -> int:
        """End the uploads whose time is over; returns how many there were."""
        now = self._vault.now()
        with self._vault.commits.database.read() as connection:
            found = resumables.expired(connection, now, _AT_ONCE)
        for identifier in found:
            self._end(identifier, Outcome(reason=_EXPIRED, cancelled=True), before=now)
        return len(found)

    def orphans(self, age: float) -> int:
        """Drop bytes that nobody added to for `age` seconds, and that belong to no upload."""
        old = self._blobs.partials_older_than(age)
        with self._vault.commits.database.read() as connection:
            lost = set(old) - resumables.known(connection, old) if old else set()
        for identifier in lost:
            self._blobs.drop(identifier)
        return len(lost)

    @property
    def _life(self) -> int:
        return int(self._configuration.uploads_expire * 1000)

    def _owned(self, account: str, identifier: str) -> Upload:
        with self._vault.commits.database.read() as connection:
            upload = resumables.find(connection, identifier, self._vault.now())
        if upload is None or upload.owner != account:
            raise NoSuch(identifier)
        return upload

    def _complete(self, upload: Upload, token: str, digest: Any | None, rest: list[str]) -> Upload:
        """Make the file exactly as PUT does, in one transaction with the end of the upload (S11)."""

        def also(connection: sa.Connection, file: StoredFile) -> None:
            # Where the quota is no longer configured, the commit of the file has not done so.
            quotas.release(connection, upload.id)
            if not resumables.complete(connection, upload.id, token, file.fileset):
                raise Superseded

        with self._vault.commits.database.read() as connection:
            pieces = [*resumables.pieces_of(connection, upload.id), *rest]
            folder = self._vault.access.folder_of(
                connection, canonical(upload.path.encode()), upload.owner, "write", NoFilename()
            )
        intake = Intake(
            folder=folder,
            name=upload.name,
            owner=upload.owner,
            transfer=upload.transfer(),
            preconditions=Preconditions(upload.if_match or None, upload.if_none_match or None),
            reject=upload.reject,
            keep_metadata=self._configuration.keep_metadata,
            datatype=upload.datatype,
            attributes=json.loads(upload.attributes),
            began_at=upload.began_at,
            reservation=upload.id,
            also=also,
        )
        try:
            self._vault.uploads.assemble(intake, upload.id, upload.length, pieces, digest)
            self._vault.uploads.keep(intake, {})
        except (Superseded, TemporarilyAway):
            raise
        except Refused as refusal:
            self._end(upload.id, Outcome(reason=refusal.reason))
            raise
        except OSError as error:
            # The disk may have room again, and the bucket may be back, when the client tries the last piece again.
            logs.get("uploads").warning("upload.waiting", error=repr(error))
            raise refusal_of(error) from error
        finally:
            intake.discard()
        self._forget(upload.id)
        with self._vault.commits.database.read() as connection:
            return resumables.find(connection, upload.id, 0) or upload

    def _end(self, identifier: str, outcome: Outcome, *, before: int | None = None) -> None:
        def work(connection: sa.Connection) -> bool:
            quotas.lock(connection)
            gone = resumables.remove(connection, identifier, before=before)
            if gone is not None and not gone.fileset:
                quotas.release(connection, identifier)
                transfer = gone.transfer()
                with logs.request_scope(transfer.request_id):
                    self._vault.recorder.end(connection, transfer, outcome)
            return gone is not None

        if self._vault.commits.run(work):
            self._forget(identifier)

    def _forget(self, identifier: str) -> None:
        self._digests.forget(identifier)
        try:
            self._blobs.drop(identifier)
        except OSError as error:
            logs.get("uploads").warning("upload.left", upload=identifier, error=repr(error))
