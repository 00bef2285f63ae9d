"""Read a content from a bucket by ranged requests."""

import io
from typing import Any, Final

from filestore_svc.store.bucket.client import BucketClient

_TRIES: Final = 3


class BucketReader(io.RawIOBase):
    """A content, read by one request from the current position on; a request that breaks is repeated from there."""

    def __init__(self, client: BucketClient, fileset: int) -> None:
        super().__init__()
        self._client = client
        self._key = f"blobs/{fileset}"
        self._size = client.size(self._key)
        self._position = 0
        self._body: Any | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the current position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position; the next read sends the request."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset != self._position:
            self._close_body()
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Read up to the size of the buffer."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        block = self._read_some(wanted)
        view[: len(block)] = block
        self._position += len(block)
        return len(block)

    def close(self) -> None:
        """Close the connection."""
        self._close_body()
        super().close()

    def _read_some(self, wanted: int) -> bytes:
        for left in reversed(range(_TRIES)):
            try:
                self._body = self._body or self._client.get(self._key, self._position)
                if block := self._client.read(self._body, wanted):
                    return block
            except FileNotFoundError:
                raise
            except OSError:
                if not left:
                    raise
            self._close_body()
        raise OSError(f"{self._key} ended before its end")

    def _close_body(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()
