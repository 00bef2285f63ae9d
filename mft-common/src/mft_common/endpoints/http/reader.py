"""Read one file by one GET, and know whether it came whole."""

from contextlib import closing
from typing import Final

from mft_common.endpoints.contract import BLOCK, Entry
from mft_common.endpoints.errors import Changed, Transient, Unsupported
from mft_common.endpoints.http.connection import Connection
from mft_common.endpoints.http.errors import http_errors, of_status
from mft_common.endpoints.http.headers import encoding_of, entry_of, is_strong, length_of, range_of
from mft_common.endpoints.names import printable

# A server reads so many bytes of a file by one call of the system, so a change cannot show in the middle of them.
_AT_ONCE: Final = 64 << 10


class HttpReader:
    """The bytes of one file from `start` on, as they come: a body is never decoded.

    A body is whole when it has the bytes of its Content-Length, or when it is chunked and its last chunk came. One that
    only the end of the connection ends is refused, because a broken connection looks the same.
    """

    def __init__(self, connection: Connection, entry: Entry, start: int) -> None:
        self._connection = connection
        self._start = start
        self._shown = printable(entry.path)
        self._left: int | None = 0
        if start and not is_strong(entry.version):
            raise Changed(f"{self._shown}: the server gives no strong ETag, so only its first byte can be begun with")
        headers = {"Range": f"bytes={start}-", "If-Range": entry.version} if start else {}
        self._answer = connection.request("GET", entry.path, headers)
        try:
            self.entry, self._left = self._continued(entry, start) if start else self._begun(entry.path)
        except BaseException:
            self.close()
            raise

    def read(self, size: int = BLOCK) -> bytes:
        """Return what has arrived, at most `size` bytes; Transient where the body ends before its end."""
        if self._left == 0:
            return b""
        amount = size if self._left is None else min(size, self._left)
        with http_errors(self._shown):
            block: bytes = self._answer.read(amount, decode_content=False)
        if self._left is not None:
            self._left -= len(block)
            if not block:
                raise Transient(f"{self._shown}: the body ends {self._left} bytes too early")
        elif not block:
            self._left = 0
        return block

    def check(self) -> None:
        """Ask once more for what describes the file; Changed where it differs.

        A server without HEAD is not asked, and none is about a file of at most 64 KiB that came by one answer.
        """
        if not self._start and self.entry.size is not None and self.entry.size <= _AT_ONCE:
            return
        answer = self._connection.request("HEAD", self.entry.path)
        with closing(answer):
            if answer.status in {404, 410}:
                raise Changed(f"{self._shown}: was removed while it was read")
            if answer.status != 200:
                return
            now = entry_of(self.entry.path, answer.headers, length_of(answer.headers))
        if any(before != after for before, after in _described_twice(self.entry, now)):
            raise Changed(f"{self._shown}: changed while it was read")

    def close(self) -> None:
        """Close the connection, or give it back when everything was read."""
        self._answer.close()

    def _begun(self, path: str) -> tuple[Entry, int | None]:
        answer = self._answer
        if answer.status != 200:
            raise of_status(answer.status, self._shown)
        self._refuse_encoding()
        size = length_of(answer.headers)
        if size is None and not answer.chunked:
            raise Unsupported(
                f"{self._shown}: the server does not tell the size, so a cut file could not be told from a whole one"
            )
        return entry_of(path, answer.headers, size), size

    def _continued(self, entry: Entry, start: int) -> tuple[Entry, int]:
        """Take the answer to a range if it begins at `start` and is of the same version; else Changed: begin anew."""
        answer = self._answer
        if answer.status == 416 and start == entry.size and answer.headers.get("ETag", entry.version) == entry.version:
            # Every byte was read before; some servers compare If-Range first and some the range.
            return entry, 0
        if answer.status not in {200, 206, 416}:
            raise of_status(answer.status, self._shown)
        self._refuse_encoding()
        found = range_of(answer.headers)
        version = answer.headers.get("ETag", entry.version).strip()
        if answer.status != 206 or found is None or found[0] != start or version != entry.version:
            raise Changed(f"{self._shown}: the server does not go on at byte {start} of the same file")
        first, last, size = found
        left = last - first + 1
        if last + 1 != size or length_of(answer.headers) not in {None, left} or entry.size not in {None, size}:
            raise Changed(f"{self._shown}: the server sends another part of the file than it was asked for")
        return Entry(entry.path, size, entry.modified_at, entry.version), left

    def _refuse_encoding(self) -> None:
        if encoding := encoding_of(self._answer.headers):
            raise Unsupported(
                f"{self._shown}: the server sends the file encoded ({encoding[:20]}), which was not asked for"
            )


def _described_twice(one: Entry, other: Entry) -> list[tuple[object, object]]:
    """Return what both answers say of the file."""
    pairs = ((one.version, other.version), (one.modified_at, other.modified_at), (one.size, other.size))
    return [(before, after) for before, after in pairs if before not in {None, ""} and after not in {None, ""}]
