"""The `http:` and `https:` endpoints: read a file by GET, write one by PUT, and nothing else."""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from mft_common.endpoints.closing import Closing
from mft_common.endpoints.contract import Checkpoint, Entry, Features, IfExists, Skipped, ignore
from mft_common.endpoints.errors import Unsupported
from mft_common.endpoints.http.connection import AT_ONCE, Connection
from mft_common.endpoints.http.errors import of_status
from mft_common.endpoints.http.headers import entry_of, length_of
from mft_common.endpoints.http.reader import HttpReader
from mft_common.endpoints.http.writer import HttpWriter
from mft_common.endpoints.names import Patterns, printable
from mft_common.endpoints.targets import Target

_FEATURES: Final = Features(resume_read=True, listing=False, renaming=False, deleting=False, at_once=AT_ONCE)
_NO_HEAD: Final = (405, 501)


def open_http(target: Target) -> "HttpEndpoint":
    """Open the folder of files at the URL of `target`; a query in it is sent with every request.

    No request is sent before the first call.
    """
    return HttpEndpoint(Connection(target))


class HttpEndpoint(Closing):
    """The files below one URL.

    Resume of a read needs a server that answers ranges and gives strong ETags; else `open` with a start is Changed, and
    the file is read from its beginning. The far side decides whether a PUT replaces a file in one step, so
    `atomic_replace` and `visible_at_commit` are not claimed.
    """

    features = _FEATURES

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Refuse: HTTP has no listing."""
        del patterns, recursive, skipped
        raise Unsupported("a web server has no listing: name the file")

    def stat(self, path: str) -> Entry:
        """Ask by HEAD, or by GET where the server has no HEAD."""
        shown = printable(path)
        answer = self._connection.request("HEAD", path)
        if answer.status in _NO_HEAD:
            answer.close()
            answer = self._connection.request("GET", path)
        with closing(answer):
            if answer.status != 200:
                raise of_status(answer.status, shown)
            return entry_of(path, answer.headers, length_of(answer.headers))

    def open(self, entry: Entry, start: int = 0) -> HttpReader:
        """Send one request for the bytes from `start` on."""
        return HttpReader(self._connection, entry, start)

    def writer(
        self,
        path: str,
        *,
        token: str,
        size: int | None = None,
        resume: Checkpoint | None = None,
        modified_at: int | None = None,
        if_exists: IfExists = "replace",
    ) -> HttpWriter:
        """Return a writer of one PUT, which can only begin at byte 0."""
        del token, resume, modified_at
        return HttpWriter(self._connection, path, size=size, if_exists=if_exists)

    def rename(self, path: str, target: str) -> None:
        """Refuse: HTTP has no rename."""
        del target
        raise Unsupported(f"{printable(path)}: a web server cannot rename")

    def delete(self, entry: Entry, *, token: str) -> None:
        """Refuse: a source on the web is not ours to delete."""
        del token
        raise Unsupported(f"{printable(entry.path)}: a file of a web server is not deleted")

    def make_folder(self, path: str) -> None:
        """Refuse: HTTP has no folders."""
        raise Unsupported(f"{printable(path)}: a web server has no call to make a folder")

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return nothing: an upload that breaks leaves no name that we could know."""
        del token, temporaries
        return ()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
