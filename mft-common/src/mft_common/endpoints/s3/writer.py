"""Store one object: small ones by one request, larger ones as a multipart upload that becomes visible as a whole."""

import secrets
from contextlib import suppress
from typing import Final

from mft_common.endpoints.contract import Checkpoint, IfExists, Stored, Verify
from mft_common.endpoints.errors import Denied, Exists, Mismatch, NotFound, TransferError, Transient, Unsupported
from mft_common.endpoints.names import printable
from mft_common.endpoints.s3.bucket import Bucket
from mft_common.endpoints.s3.parts import Parts

_UNCHECKED: Final = "the bucket does not let us ask for the object's size"
_GONE: Final = "the object was gone when its size was to be checked"


class S3Writer:
    """An object on its way in.

    `temporary` is its path: until the commit there is at most an unfinished upload of that key, which no listing of
    objects shows. `Checkpoint.state` holds the upload's id. An object carries a random mark in its metadata; by that a
    repeated commit recognises the object of the first one.
    """

    def __init__(self, bucket: Bucket, path: str, *, part: int, resume: Checkpoint | None, if_exists: IfExists) -> None:
        bucket.key(path)
        self.temporary = path
        self._shown = printable(path)
        self._bucket = bucket
        self._path = path
        self._if_exists = if_exists
        state = resume.state if resume is not None else {}
        self._upload = str(state.get("upload", ""))
        self._position = resume.position if resume is not None else 0
        self._mark = str(state.get("mark", "")) or secrets.token_hex(16)
        self._part_size = part
        self._held = bytearray()
        self._parts = Parts(bucket, path, self._part_size)
        self._unanswered_create = False
        self._sealed = Stored(0, "")
        self._asked = False
        self._answered = False
        self._stored: Stored | None = None

    def begin(self) -> int:
        """Find the parts of the upload to resume; nothing is made before the first part is full."""
        if self._if_exists == "fail":
            # Where that is not allowed, the commit's own condition still holds.
            with suppress(Denied):
                self._require_absent()
        if not self._upload:
            return 0
        try:
            resumed = self._parts.resume(self._upload, self._position)
        except NotFound:
            self._upload, resumed = "", False
        return self._position if resumed else 0

    def feed(self, block: bytes | memoryview) -> None:
        """Hold the bytes; send a part when the next one begins."""
        rest = memoryview(block)
        while rest:
            if len(self._held) == self._part_size:
                self._send()
            room = self._part_size - len(self._held)
            self._held += rest[:room]
            rest = rest[room:]

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
            if self._held:
                self._send()
            self._parts.wait()
            found = self._parts.listed_size(self._upload)
        else:
            found = len(self._held)
        if found != size:
            raise Mismatch(f"{self._shown}: {found} bytes arrived of {size}")
        self._sealed = Stored(size, sha256, replaced=False if self._if_exists == "fail" else None)
        return True

    def commit(self) -> Stored:
        """Put the object or complete the upload; compare the object's size before that is called a success."""
        if self._stored is None:
            if not self._answered and not (self._asked and self._is_ours()):
                self._ask()
            self._answered = True
            self._stored = self._checked()
            self._parts.close()
        return self._stored

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Wait for the parts that are on their way, then abort the upload until the bucket lists nothing of it."""
        self._parts.stop()
        if self._stored is None and self._asked and (self._answered or self._is_ours()):
            self._answered = True
            # An object of another size stays: it is the store's, and its name is not ours to clear.
            with suppress(Mismatch):
                self._stored = self._checked()
        self._held = bytearray()
        if self._answered or keep:
            return self._stored
        if self._upload:
            self._bucket.abort(self._path, self._upload)
        elif self._unanswered_create:
            for upload in list(self._bucket.uploads(self._path)):
                self._bucket.abort(self._path, upload)
        return None

    def _send(self) -> None:
        """Hand a part over; its memory is the sender's from now on."""
        if not self._upload:
            try:
                self._upload = self._bucket.create(self._path, self._mark)
            except Transient:
                self._unanswered_create = True
                raise
        content, self._held = self._held, bytearray()
        self._parts.send(self._upload, content)

    def _ask(self) -> None:
        self._asked = True
        exclusive = self._if_exists == "fail"
        try:
            self._put(exclusive=exclusive)
        except Unsupported:
            if not exclusive:
                raise
            # The store does not know the condition: the nearest is to look before.
            self._require_absent()
            self._put(exclusive=False)

    def _put(self, *, exclusive: bool) -> None:
        try:
            if self._upload:
                self._bucket.complete(self._path, self._upload, self._parts.all(), exclusive=exclusive)
            else:
                self._bucket.put(self._path, self._held, self._mark, exclusive=exclusive)
        except Transient:
            raise
        except TransferError:
            # Refused for certain: nothing became visible, and there is nothing to find later.
            self._asked = False
            raise

    def _checked(self) -> Stored:
        """Compare the object's size; another object that has replaced ours since is not compared."""
        try:
            found = self._bucket.head(self._path)
        except NotFound:
            return _with(self._sealed, warning=_GONE)
        except Denied:
            return _with(self._sealed, warning=_UNCHECKED)
        if found.mark and found.mark != self._mark:
            return self._sealed
        if found.size != self._sealed.size:
            raise Mismatch(f"{self._shown}: the bucket has stored {found.size} bytes of {self._sealed.size}")
        return _with(self._sealed, version=found.version)

    def _is_ours(self) -> bool:
        """Return whether the object of this key is that of this writer."""
        try:
            return self._bucket.head(self._path).mark == self._mark
        except (NotFound, Denied):
            return False

    def _require_absent(self) -> None:
        try:
            self._bucket.head(self._path)
        except NotFound:
            return
        raise Exists(f"{self._shown}: exists already")


def _with(stored: Stored, *, version: str = "", warning: str = "") -> Stored:
    return Stored(stored.size, stored.sha256, version, stored.replaced, warning)
