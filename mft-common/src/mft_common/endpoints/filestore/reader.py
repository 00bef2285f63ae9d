"""Read a file of filestore-svc."""

import contextlib
import hashlib
import http.client

from mft_common.endpoints.contract import BLOCK, Entry
from mft_common.endpoints.errors import Changed, Mismatch, Transient
from mft_common.endpoints.filestore.calls import Calls, answering, quoted


def entry_of(path: str, answer: http.client.HTTPResponse, size: int) -> Entry:
    """Return the entry that the headers of an answer describe."""
    modified_at = answer.headers.get("X-Modified-At")
    return Entry(
        path,
        size,
        None if modified_at is None else int(modified_at),
        answer.headers.get("X-Fileset", ""),
        answer.headers.get("X-Sha256", "").lower() or None,
    )


class FilestoreReader:
    """One file as filestore-svc sends it; a fileset's content never changes."""

    def __init__(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, entry: Entry) -> None:
        self.entry = entry
        self._connection = connection
        self._answer = answer
        self._left = int(answer.headers.get("Content-Length") or 0)
        # The digest of the whole is compared where the whole is read.
        self._digest = hashlib.sha256() if self._left == entry.size else None

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes; a connection that breaks is Transient."""
        with answering(self.entry.path):
            block = self._answer.read(min(size, self._left)) if self._left else b""
        if self._left and not block:
            raise Transient(f"{self.entry.path}: the connection to filestore broke")
        self._left -= len(block)
        if self._digest is not None:
            self._digest.update(block)
        return block

    def check(self) -> None:
        """Compare the checksum with the one that filestore-svc announced."""
        if self._digest is None or self.entry.sha256 is None or self._left:
            return
        if self._digest.hexdigest() != self.entry.sha256:
            raise Mismatch(f"{self.entry.path}: what filestore sent has another checksum than it announced")

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._answer.close()
            self._connection.close()


class EmptyReader:
    """The end of a file, from which on there is nothing."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def read(self, size: int = BLOCK) -> bytes:
        """Return nothing."""
        del size
        return b""

    def check(self) -> None:
        """Do nothing: a fileset's content never changes."""

    def close(self) -> None:
        """Do nothing."""


def open_reader(calls: Calls, folder: str, listed: Entry, start: int) -> FilestoreReader | EmptyReader:
    """Open a file as it is now, from `start` on; Changed where that is another fileset than the listed one."""
    path = listed.path
    if start and start == listed.size:
        return EmptyReader(listed)
    headers = {"Range": f"bytes={start}-"} if start else {}
    connection, answer = calls.opened("GET", f"files/{quoted(folder, path)}", path, headers=headers)
    try:
        size = int(answer.headers.get("Content-Length") or 0) + start
        entry = entry_of(path, answer, size)
        if start:
            _check_continues(answer, entry, listed, start)
    except BaseException:
        answer.close()
        connection.close()
        raise
    return FilestoreReader(connection, answer, entry)


def _check_continues(answer: http.client.HTTPResponse, entry: Entry, listed: Entry, start: int) -> None:
    begins = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    if entry.version != listed.version or not begins:
        raise Changed(f"{entry.path}: the source changed since its first bytes were read")
