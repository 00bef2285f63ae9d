"""Store one object: small ones by one request, larger ones as a multipart upload that becomes visible as a whole."""

import secrets
from contextlib import suppress
from dataclasses import replace
from typing import Final

from mft_common import logs
from mft_common.endpoints.contract import Begins, Checkpoint, IfExists, Stored, Verify, note_nothing
from mft_common.endpoints.errors import (
    Denied,
    Exists,
    Mismatch,
    NotFound,
    NotSent,
    OutcomeUnknown,
    TransferError,
    Transient,
    Unsupported,
)
from mft_common.endpoints.names import printable
from mft_common.endpoints.one_commit import OneCommit
from mft_common.endpoints.s3.bucket import Bucket
from mft_common.endpoints.s3.parts import Held, Parts, Room
from mft_common.endpoints.s3.uploads import name_of

_UNCHECKED: Final = "the bucket does not let us ask for the object's size"
_GONE: Final = "the object was gone when its size was to be checked"


class S3Writer:
    """An object on its way in.

    Until the commit there is at most an unfinished upload of the object's key, which no listing of objects shows.
    `temporary` names it by path and id, and `begins` is called with it between its creation and its first part.
    `Checkpoint.state` holds the id. An object carries a random mark in its metadata; by that a repeated commit
    recognises the object of the first one.
    """

    def __init__(
        self, bucket: Bucket, path: str, *, part: int, size: int | None, room: Room, resume: Checkpoint | None,
        if_exists: IfExists,
    ) -> None:  # fmt: skip
        bucket.key(path)
        self._shown = printable(path)
        self._bucket = bucket
        self._path = path
        self._if_exists = if_exists
        state = resume.state if resume is not None else {}
        self._upload = str(state.get("upload", ""))
        self._position = resume.position if resume is not None else 0
        self._mark = str(state.get("mark", "")) or secrets.token_hex(16)
        self._part_size = part
        self._held = Held(room, part if size is None else min(part, size))
        self._parts = Parts(bucket, path, self._part_size, room)
        self._begins: Begins = note_nothing
        self._sealed = Stored(0, "")
        # The version that an answer to the commit has proved to be of these bytes.
        self._proved = ""
        self._commit = OneCommit(
            self._shown, exclusive=if_exists == "fail", send=self._ask, is_ours=self._is_ours, check=self._checked
        )

    @property
    def temporary(self) -> str:
        """The path and the id of the unfinished upload, "" as long as there is none."""
        return name_of(self._path, self._upload) if self._upload else ""

    def begin(self, begins: Begins = note_nothing) -> int:
        """Find the parts of the upload to resume; nothing is made before the first part is full."""
        self._begins = begins
        if self._if_exists == "fail":
            # Where that is not allowed, the commit's own condition still holds.
            with suppress(Denied):
                self._require_absent()
        if not self._upload:
            return 0
        begins(self.temporary)
        try:
            resumed = self._parts.resume(self._upload, self._position)
        except NotFound:
            self._upload, resumed = "", False
        return self._position if resumed else 0

    def feed(self, block: bytes | memoryview) -> None:
        """Hold the bytes; send a part when the next one begins."""
        rest = memoryview(block)
        while rest:
            held = self._held.size
            if held == self._part_size:
                self._send()
                held = 0
            taken = rest[: self._part_size - held]
            self._held.add(taken)
            rest = rest[len(taken) :]

    def flush(self) -> Checkpoint:
        """Wait for the parts that are on their way; a part that is not full stays in memory."""
        if not self._upload:
            return Checkpoint(0)
        return Checkpoint(self._parts.wait(), {"upload": self._upload, "mark": self._mark})

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Send the rest, and compare the size with that of the listed parts.

        The bucket has compared each part with its MD5. It can tell no SHA-256 of the whole, so that is not compared.
        """
        del verify
        if self._upload:
            if self._held.size:
                self._send()
            self._parts.wait()
            found = self._parts.listed_size(self._upload)
        else:
            found = self._held.size
        if found != size:
            raise Mismatch(f"{self._shown}: {found} bytes arrived of {size}")
        self._sealed = Stored(size, sha256, replaced=False if self._if_exists == "fail" else None)
        return True

    def commit(self) -> Stored:
        """Put the object or complete the upload; the answer's checksum or the object's size proves that it is whole."""
        stored = self._commit.run(self._sealed)
        self._held.release()
        return stored

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Wait for the parts that are on their way, then abort the upload until the bucket lists nothing of it.

        Transient where they do not end soon: an abort beside them may leave some, so it is left to a later sweep.
        """
        self._held.release()
        self._parts.stop()
        try:
            found = self._commit.found()
        except OutcomeUnknown as unknown:
            try:
                self._abort_upload()
            except TransferError:
                unknown.leftover = True
            raise
        if self._commit.visible or keep or not self._upload:
            return found
        self._abort_upload()
        # A completion without an answer may have come before the abort.
        return self._commit.found()

    def _abort_upload(self) -> None:
        if self._upload:
            self._bucket.abort(self._path, self._upload)

    def _send(self) -> None:
        """Hand a part over; its memory is the sender's from now on."""
        if not self._upload:
            self._create()
        self._parts.send(self._upload, self._held)

    def _create(self) -> None:
        """Create the upload and give its name away before it has a part.

        One whose creation got no answer has no part and no id that we know: among the uploads of the key it cannot be
        told from another writer's, so it is left to the bucket's own rule for unfinished uploads.
        """
        try:
            self._upload = self._bucket.create(self._path, self._mark)
        except Transient:
            logs.get("s3").warning("s3.upload_unknown", path=self._shown)
            raise
        self._begins(self.temporary)

    def _ask(self) -> None:
        exclusive = self._if_exists == "fail"
        if exclusive:
            self._look_again()
        try:
            self._put(exclusive=exclusive)
        except Unsupported:
            if not exclusive:
                raise
            # The store does not know the condition: the nearest is to look before.
            self._require_absent()
            self._put(exclusive=False)

    def _look_again(self) -> None:
        """Look for an object that came during the upload: some stores pass over a condition that they do not know."""
        try:
            with suppress(Denied):
                self._require_absent()
        except Transient as error:
            raise NotSent(str(error)) from error

    def _put(self, *, exclusive: bool) -> None:
        if self._upload:
            parts = self._parts.all()
            self._proved = self._bucket.complete(self._path, self._upload, parts, exclusive=exclusive)
        else:
            self._proved = self._bucket.put(self._path, self._held.content(), self._mark, exclusive=exclusive)

    def _checked(self) -> Stored:
        """Compare the object's size, unless the answer to the commit has proved its content.

        Another object that has replaced ours since is not compared.
        """
        if self._proved:
            return replace(self._sealed, version=self._proved)
        try:
            found = self._bucket.head(self._path)
        except NotFound:
            return replace(self._sealed, warning=_GONE)
        except Denied:
            return replace(self._sealed, warning=_UNCHECKED)
        if found.mark and found.mark != self._mark:
            return self._sealed
        if found.size != self._sealed.size:
            raise Mismatch(f"{self._shown}: the bucket has stored {found.size} bytes of {self._sealed.size}")
        return replace(self._sealed, version=found.version)

    def _is_ours(self) -> bool:
        """Return whether the object of this key is that of this writer; Denied where the bucket does not tell."""
        try:
            return self._bucket.head(self._path).mark == self._mark
        except NotFound:
            return False

    def _require_absent(self) -> None:
        try:
            self._bucket.head(self._path)
        except NotFound:
            return
        raise Exists(f"{self._shown}: exists already")
