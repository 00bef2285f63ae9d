"""Read one object by one request."""

import contextlib
from dataclasses import replace
from typing import Any

from mft_common.endpoints.contract import BLOCK, Entry
from mft_common.endpoints.errors import Changed, Transient
from mft_common.endpoints.names import printable
from mft_common.endpoints.s3.bucket import Bucket
from mft_common.endpoints.s3.errors import s3_errors


class S3Reader:
    """The bytes of one version of an object from `start` on."""

    def __init__(self, bucket: Bucket, entry: Entry, start: int) -> None:
        self._body: Any = None
        if start and start == entry.size:
            # A range behind the last byte is refused: ask whether the object is the same, and send nothing.
            found = bucket.head(entry.path)
            if found.version != entry.version:
                raise Changed(f"{printable(entry.path)}: changed since its first {start} bytes were read")
        else:
            found, self._body = bucket.get(entry.path, start, entry.version if start else "")
        self.entry = replace(
            entry, size=found.size, modified_at=found.modified_at, version=found.version, sha256=None, kind="file"
        )
        self._left = found.size - start

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes; Transient where the connection ends before the object does."""
        if not self._left:
            return b""
        with s3_errors(self.entry.path):
            block = bytes(self._body.read(min(size, self._left)))
        self._left -= len(block)
        if not block:
            raise Transient(f"{printable(self.entry.path)}: the body ends {self._left} bytes too early")
        return block

    def check(self) -> None:
        """Do nothing: one request answers with one version of an object, also when it is replaced meanwhile."""

    def close(self) -> None:
        """Close the connection, or give it back when everything was read."""
        if self._body is not None:
            with contextlib.suppress(Exception):
                self._body.close()
