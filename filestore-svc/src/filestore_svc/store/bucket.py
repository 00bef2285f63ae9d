"""Keep bytes in a bucket that speaks S3: contents, and uploads in pieces as an object each."""

import contextlib
import hashlib
import io
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from filestore_svc.store.bucket_calls import Calls
from filestore_svc.store.partials import Check, Watch

# An upload has at most 10,000 parts: 5,000 of the first size and 5,000 of the second make 352 GiB.
_PART: Final = 8 << 20
_LARGE_PART: Final = 64 << 20
_SMALL_PARTS: Final = 5_000
_BLOCK: Final = 1 << 20
_ABANDONED_S: Final = 3600.0
_TRIES: Final = 3


class BucketStaging:
    """Bytes on their way into a bucket: in parts once there are enough for one. Nobody sees any before they are kept.

    Every part goes with its SHA-256, which the bucket verifies.
    """

    def __init__(self, calls: Calls, fileset: int, *, md5: bool) -> None:
        self.fileset = fileset
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._calls = calls
        self._key = f"blobs/{fileset}"
        self._held = bytearray()
        self._upload = ""
        self._parts: list[dict[str, Any]] = []

    def write(self, block: memoryview | bytes, /) -> None:
        """Digest the next bytes, and send a part when it is full."""
        self.size += len(block)
        self.sha256.update(block)
        if self.md5 is not None:
            self.md5.update(block)
        self._held += block
        if len(self._held) >= (_PART if len(self._parts) < _SMALL_PARTS else _LARGE_PART):
            self._send_part()

    def finish(self) -> None:
        """Nothing is left to do before it is kept."""

    def keep(self) -> None:
        """Send what is held; return when the bucket has acknowledged the whole."""
        if not self._upload:
            self._calls.put(self._key, bytes(self._held))
        else:
            if self._held:
                self._send_part()
            self._calls.complete(self._key, self._upload, self._parts)
        self._upload = ""
        self._held = bytearray()

    def discard(self) -> None:
        """Abort what was begun, so that no part stays behind; what cannot be reached now is aborted by its age."""
        upload, self._upload = self._upload, ""
        self._held = bytearray()
        if upload:
            with contextlib.suppress(OSError):
                self._calls.abort(self._key, upload)

    def _send_part(self) -> None:
        if not self._upload:
            self._upload = self._calls.begin(self._key)
        number = len(self._parts) + 1
        self._parts.append(self._calls.part(self._key, self._upload, number, bytes(self._held)))
        self._held = bytearray()


class BucketBlob(io.RawIOBase):
    """A content that is read by one request from where the reader is; one that breaks is made again from there."""

    def __init__(self, calls: Calls, fileset: int) -> None:
        super().__init__()
        self._calls = calls
        self._key = f"blobs/{fileset}"
        self._size = calls.size(self._key)
        self._position = 0
        self._body: Any | None = None

    def readable(self) -> bool:
        """Say so."""
        return True

    def seekable(self) -> bool:
        """Say so."""
        return True

    def tell(self) -> int:
        """Return where the reader is."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere; nothing is asked of the bucket yet."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset != self._position:
            self._let_go()
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Read on."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        block = self._some(wanted)
        view[: len(block)] = block
        self._position += len(block)
        return len(block)

    def close(self) -> None:
        """Close the connection."""
        self._let_go()
        super().close()

    def _some(self, wanted: int) -> bytes:
        for left in reversed(range(_TRIES)):
            try:
                self._body = self._body or self._calls.get(self._key, self._position)
                if block := self._calls.read(self._body, wanted):
                    return block
            except FileNotFoundError:
                raise
            except OSError:
                if not left:
                    raise
            self._let_go()
        raise OSError(f"{self._key} ended before its end")

    def _let_go(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()


class BucketPartial:
    """An upload in pieces as objects `partial/<upload>/<first byte>-<anything>`: two writers never share a name."""

    def __init__(self, calls: Calls, upload: str, offset: int, check: Check) -> None:
        self._calls = calls
        self._folder = f"partial/{upload}/"
        self._check = check
        self._next = offset
        self._held = bytearray()
        self._names: list[str] = []

    def append(self, block: memoryview | bytes, /) -> None:
        """Hold the bytes, and send an object when there are enough for one."""
        self._check()
        self._held += block
        if len(self._held) >= _PART:
            self._send()

    def sync(self) -> Sequence[str]:
        """Send what is held."""
        if self._held:
            self._send()
        names, self._names = self._names, []
        return names

    def close(self) -> None:
        """Nothing is open."""

    def _send(self) -> None:
        name = f"{self._next:020d}-{secrets.token_hex(8)}"
        self._calls.put(self._folder + name, bytes(self._held))
        self._names.append(name)
        self._next += len(self._held)
        self._held = bytearray()


class BucketBlobs:
    """Contents as objects `blobs/<fileset>`, uploads in pieces below `partial/`, all below the bucket's prefix."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def stage(self, fileset: int, *, md5: bool = False) -> BucketStaging:
        """Begin a content."""
        return BucketStaging(self._calls, fileset, md5=md5)

    def keep(self, staging: BucketStaging) -> None:
        """Wait for the bucket's word."""
        staging.keep()

    def resume(self, upload: str, offset: int, check: Check) -> BucketPartial:
        """Go on with new objects."""
        return BucketPartial(self._calls, upload, offset, check)

    def whole(
        self, upload: str, fileset: int, size: int, pieces: Sequence[str], *, sha256: Any | None, watch: Watch | None
    ) -> BucketStaging:
        """Read the pieces once and write them as one content; the digest is made on the way, so none need be known."""
        del sha256
        staging = BucketStaging(self._calls, fileset, md5=False)
        try:
            for name in pieces:
                with contextlib.closing(self._calls.get(f"partial/{upload}/{name}", 0)) as body:
                    while block := self._calls.read(body, _BLOCK):
                        staging.write(block)
                        if watch is not None:
                            watch(block)
            _check_size(staging, size)
        except BaseException:
            staging.discard()
            raise
        return staging

    def drop(self, upload: str) -> None:
        """Delete the pieces."""
        for found in self._calls.listing(f"partial/{upload}/"):
            self._calls.delete([key for key, _ in found])

    def partials_older_than(self, age: float) -> list[str]:
        """Ask for the youngest piece of each."""
        youngest: dict[str, datetime] = {}
        for found in self._calls.listing("partial/"):
            for key, at in found:
                upload = key.split("/")[1]
                youngest[upload] = max(at, youngest.get(upload, at))
        limit = datetime.now(UTC) - timedelta(seconds=age)
        return [upload for upload, at in youngest.items() if at < limit]

    def open(self, fileset: int) -> BucketBlob:
        """Open a content; its bytes come by ranged reads."""
        return BucketBlob(self._calls, fileset)

    def remove(self, fileset: int) -> None:
        """Delete the object."""
        self._calls.delete([f"blobs/{fileset}"])

    def older_than(self, age: float) -> Iterator[list[int]]:
        """Yield the ids of one page of the bucket's listing after the other."""
        limit = datetime.now(UTC) - timedelta(seconds=age)
        for found in self._calls.listing("blobs/"):
            yield [int(key.rpartition("/")[2]) for key, at in found if at < limit]

    def clear_staging(self, age: float | None) -> int:
        """Abort uploads in parts by their age: a bucket knows of no process whether it lives."""
        limit = datetime.now(UTC) - timedelta(seconds=_ABANDONED_S if age is None else age)
        count = 0
        for key, upload, at in self._calls.unfinished("blobs/"):
            if at < limit:
                self._calls.abort(key, upload)
                count += 1
        return count

    def ping(self) -> None:
        """Ask whether the bucket is there."""
        self._calls.ping()

    def free(self) -> None:
        """Say nothing: a bucket has no end that it would tell."""


def _check_size(staging: BucketStaging, size: int) -> None:
    if staging.size != size:
        raise OSError(f"an upload of {size} bytes has {staging.size} in its pieces")
