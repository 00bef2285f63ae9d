"""Receive a content into a bucket, as a multipart upload once it is larger than one part."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from typing import Any, Final

from filestore_svc.store.bucket.client import BucketClient

# An upload has at most 10,000 parts: 5,000 of the first size and 5,000 of the second make 352 GiB.
PART: Final = 8 << 20
_LARGE_PART: Final = 64 << 20
_SMALL_PARTS: Final = 5_000
# A multipart upload is aborted an hour after its last part (S20). At a slow client's pace a part may take longer.
_REFRESH_S: Final = 900.0


class BucketStaging:
    """A content on its way into a bucket, invisible until it is kept.

    Up to one part is held in memory. Every part is sent with its SHA-256, which the bucket verifies. `clock` counts
    seconds.
    """

    def __init__(
        self, client: BucketClient, fileset: int, *, md5: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.fileset = fileset
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self._client = client
        self._clock = clock
        self._key = f"blobs/{fileset}"
        self._held = bytearray()
        self._upload = ""
        self._parts: list[dict[str, Any]] = []
        self._sent_at = 0.0

    def write(self, block: memoryview | bytes, /) -> None:
        """Digest the next bytes; send a part when it is full, or when none was sent for a quarter of an hour."""
        self.size += len(block)
        self.sha256.update(block)
        if self.md5 is not None:
            self.md5.update(block)
        self._held += block
        if len(self._held) >= (PART if len(self._parts) < _SMALL_PARTS else _LARGE_PART):
            self._send_part()
        elif self._upload and self._clock() - self._sent_at >= _REFRESH_S:
            # The time of the last part is what shows that the upload is alive. The full part will replace this one.
            self._send()

    def finish(self) -> None:
        """Do nothing: every write is synchronous."""

    def keep(self) -> None:
        """Send the rest; return when the bucket has acknowledged the whole object."""
        if not self._upload:
            self._client.put(self._key, bytes(self._held))
        else:
            if self._held:
                self._send_part()
            self._client.complete(self._key, self._upload, self._parts)
        self._upload = ""
        self._held = bytearray()

    def discard(self) -> None:
        """Abort the upload, so that none of its parts stay; one that cannot be reached now is aborted by its age."""
        upload, self._upload = self._upload, ""
        self._held = bytearray()
        if upload:
            with contextlib.suppress(OSError):
                self._client.abort(self._key, upload)

    def _send_part(self) -> None:
        if not self._upload:
            self._upload = self._client.begin(self._key)
        self._parts.append(self._send())
        self._held = bytearray()

    def _send(self) -> dict[str, Any]:
        part = self._client.part(self._key, self._upload, len(self._parts) + 1, bytes(self._held))
        self._sent_at = self._clock()
        return part
