"""Receive files piece by piece, over as many requests, processes and days as it takes (tus 1.0, X1)."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from filestore_svc.domain.client_transfers import Outcome
from filestore_svc.domain.files import DEFAULT_DATATYPE
from filestore_svc.domain.paths import Target, canonical
from filestore_svc.domain.resumable import Upload, head_of
from filestore_svc.errors import Incomplete, NoFilename, NoSuch, Superseded, TooLarge, WrongOffset
from filestore_svc.operations.access import Caller
from filestore_svc.operations.completing import Completions
from filestore_svc.operations.receiving import PartialDigests, PieceReceiver
from filestore_svc.operations.uploads import Uploads, refusal_of
from filestore_svc.store import quotas, resumables
from filestore_svc.store.tables import outbox
from filestore_svc.wire.headers import Preconditions
from filestore_svc.wire.tus import Patch
from mft_common import logs
from mft_common.errors import Unavailable
from mft_common.identity import Identity

_AT_ONCE: Final = 500
_DELETED: Final = "the client ended the upload"
_EXPIRED: Final = "the upload has expired"
_SWEPT: Final = "the upload was not finished"


@dataclass(frozen=True, kw_only=True)
class NewUpload:
    """An upload that is to be created. `metadata` is the client's own header, `token` the owner of a two-step one."""

    target: Target
    length: int
    datatype: str = DEFAULT_DATATYPE
    attributes: dict[str, str] = field(default_factory=dict)
    metadata: str = ""
    preconditions: Preconditions = field(default_factory=Preconditions)
    reject: bool = False
    two_step: bool = False
    token: str = ""


class Resuming:
    """Resumable uploads. An upload belongs to its owner alone, and nothing of it is visible before its last byte.

    The last request to send continues an upload: an earlier one, which may wait for a client that is gone, notices with
    its next byte and keeps nothing of it. So no lock is ever stuck.
    """

    def __init__(self, uploads: Uploads, completions: Completions, digests: PartialDigests, life: int) -> None:
        self._uploads = uploads
        self._commits = uploads.commits
        self.completions = completions
        self._digests = digests
        self._life = life

    @property
    def largest(self) -> int | None:
        """Return the most bytes that a file may have, None for no limit."""
        return self._uploads.quotas.limits.file

    def writer(self, identity: Identity, origin: str | None) -> Caller:
        """Check a caller of a writing call: session, contract and origin."""
        return Caller(identity, self._uploads.access.writer(identity, origin))

    def reader(self, identity: Identity) -> Caller:
        """Check a caller of a reading call: session and contract."""
        return Caller(identity, self._uploads.access.caller(identity))

    def create(self, caller: Caller, new: NewUpload) -> Upload:
        """Make every check that comes before a body, reserve the quota and announce the transfer."""
        if new.target.only_folder:
            raise NoFilename
        uploads, account = self._uploads, caller.account
        folder, existing = uploads.writable(
            account, new.target, preconditions=new.preconditions, reject=new.reject, only_folder=NoFilename()
        )
        uploads.quotas.check(folder, account, new.length, new.target.name)
        path = f"{folder.path}/{new.target.name}"
        transfer = uploads.recorder.describe(
            caller.identity, account, upload=True, source=new.target.name, destination=path,
            if_exists="error" if new.reject else "overwrite",
        )  # fmt: skip
        now = uploads.now()
        # A later content of the same second would pass a date again.
        pinned = new.preconditions.pinned(existing)
        upload = Upload(
            id=secrets.token_hex(16),
            path=path,
            owner=account,
            length=new.length,
            datatype=new.datatype,
            attributes=json.dumps(new.attributes),
            metadata=new.metadata,
            if_match=pinned.if_match or "",
            if_none_match=pinned.if_none_match or "",
            reject=new.reject,
            two_step=new.two_step,
            token=new.token,
            head=head_of(transfer),
            began_at=now,
            expires_at=now + self._life,
        )

        def work(connection: sa.Connection) -> None:
            if over := uploads.quotas.limits.quotas_over(folder.path, account):
                quotas.reserve(connection, upload.id, folder.path, over, size=upload.length, process="", lease_until=0)
            resumables.add(connection, upload)
            if not transfer.external:
                outbox.add(connection, transfer.started())

        self._commits.run(work)
        if upload.length or upload.two_step:
            return upload
        self.completions.begin(upload, "", ())
        return self.completions.wait(upload.id)

    def find(self, caller: Caller, identifier: str) -> Upload:
        """Return an upload of the caller."""
        with self._commits.database.read() as connection:
            upload = resumables.find(connection, identifier, self._uploads.now())
        if upload is None or upload.owner != caller.account:
            raise NoSuch(identifier)
        return upload

    def append(self, caller: Caller, identifier: str, patch: Patch, blocks: Iterator[bytes]) -> Upload:
        """Receive a piece; the one that brings the last byte makes the file. Bytes that came before a cut are kept.

        A last piece that is sent again while the file is being made waits for the same file.
        """
        upload = self.find(caller, identifier)
        if patch.offset != upload.received:
            raise WrongOffset(headers={"Upload-Offset": str(upload.received)})
        if upload.state == "complete" or (upload.state == "sealed" and not patch.length):
            return upload
        if upload.state != "receiving":
            for _ in blocks:
                # Every byte is durable already: the client sends them only because it has missed the answer.
                continue
            return self.completions.wait(upload.id)
        # An upload may live for days: the right may have been withdrawn meanwhile.
        with self._commits.database.read() as connection:
            self._uploads.access.folder_of(
                connection, canonical(upload.path.encode()), caller.account, "write", NoFilename()
            )
        token = secrets.token_hex(16)
        if not self._commits.run(lambda connection: resumables.take_over(connection, upload, token)):
            raise Superseded
        if patch.length is not None and patch.offset + patch.length > upload.length:
            raise TooLarge
        receiver = PieceReceiver(
            self._commits, self._uploads.blobs, self._digests, upload, token=token, now=self._uploads.now,
            life=self._life,
        )  # fmt: skip
        try:
            names = receiver.receive(patch, blocks)
        except OSError as error:
            raise refusal_of(error) from error
        if names is None:
            return receiver.upload
        self.completions.begin(receiver.upload, token, names, receiver.sha256)
        return self.find(caller, identifier) if upload.two_step else self.completions.wait(identifier)

    def seal(self, caller: Caller, identifier: str) -> Upload:
        """Wait until a two-step upload is durable, digested and scanned; Incomplete, StillCompleting."""
        upload = self.find(caller, identifier)
        if upload.state == "receiving":
            if upload.length:
                raise Incomplete
            self.completions.begin(upload, upload.writer, ())
        return self.completions.wait(upload.id)

    def commit(self, caller: Caller, identifier: str) -> Upload:
        """Make the file of a two-step upload visible; a repeated call returns the result of the first."""
        upload = self.seal(caller, identifier)
        return upload if upload.state == "complete" else self.completions.commit(upload)

    def terminate(self, caller: Caller, identifier: str) -> Upload:
        """End an upload, and its transfer as cancelled where it was not complete; return it as it was."""
        ended = self.completions.end(self.find(caller, identifier).id, Outcome(reason=_DELETED, cancelled=True))
        if ended is None:
            raise NoSuch(identifier)
        return ended

    def sweep(self, caller: Caller, target: Target, token: str) -> list[str]:
        """End the unfinished two-step uploads of a token to a file, or into a folder and those below.

        Return their files' paths, from the folder on.
        """
        folder = f"/{target.text}"
        with self._commits.database.read() as connection:
            found = resumables.unfinished(connection, token, folder)
        outcome = Outcome(reason=_SWEPT, cancelled=True)
        mine = [each for each in found if each.owner == caller.account and self.completions.end(each.id, outcome)]
        return [each.path.removeprefix(f"{folder}/") for each in mine]

    def expire(self) -> int:
        """End expired uploads; return how many."""
        now = self._uploads.now()
        with self._commits.database.read() as connection:
            found = resumables.expired(connection, now, _AT_ONCE)
        return sum(self._expire(identifier, now) for identifier in found)

    def _expire(self, identifier: str, now: int) -> bool:
        """End an expired upload; False where it cannot be ended, which must not keep the others."""
        try:
            self.completions.end(identifier, Outcome(reason=_EXPIRED, cancelled=True), before=now)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 -- for example a head that another version has written
            logs.get("uploads").exception("upload.not_expired", upload=identifier)
            return False
        return True

    def orphans(self, age: float) -> int:
        """Drop the bytes that no upload owns and that were last written more than `age` seconds ago."""
        old = self._uploads.blobs.partials_older_than(age)
        with self._commits.database.read() as connection:
            lost = set(old) - resumables.known(connection, old) if old else set()
        return sum(map(self._dropped, lost))

    def _dropped(self, identifier: str) -> bool:
        try:
            self._uploads.blobs.drop(identifier)
        except OSError as error:
            logs.get("uploads").warning("upload.bytes_left", upload=identifier, error=repr(error))
            return False
        return True

    def close(self) -> None:
        """Wait a while for the completions under way."""
        self.completions.close()
