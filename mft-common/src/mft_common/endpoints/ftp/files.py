"""Rename and remove single files of an FTP server for a deletion."""

from mft_common.endpoints.aside_delete import Marks, marks_of
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Exists, NotFound, NotRegular
from mft_common.endpoints.ftp.lines import Line
from mft_common.endpoints.ftp.places import Place
from mft_common.endpoints.ftp.publish import remove, rename
from mft_common.endpoints.ftp.replies import shown
from mft_common.endpoints.ftp.session import Connections


class FtpFiles:
    """The files below the endpoint's folder; every call waits for its answer."""

    def __init__(self, connections: Connections, place: Place) -> None:
        self._connections = connections
        self._place = place

    def marks(self, path: str) -> Marks | None:
        """Return the marks of a file, None where there is none that can be seen; NotRegular."""
        with self._connections.session() as session:
            line = session.lookup(self._place.full(path), path)
        if line is not None and line.kind != "file":
            raise NotRegular(f"{shown(path)}: is no regular file")
        return None if line is None else marks_of_line(line)

    def move(self, path: str, target: str) -> None:
        """Rename whichever file has the name."""
        with self._connections.session() as session:
            rename(session, self._place.full(path), self._place.full(target), path)

    def give(self, path: str, target: str) -> None:
        """Rename a file to a name that is free; the server may replace a file that comes at that moment. Exists."""
        with self._connections.session() as session:
            if session.lookup(self._place.full(target), target) is not None:
                raise Exists(f"{shown(target)}: exists already")
            rename(session, self._place.full(path), self._place.full(target), path)

    def remove(self, path: str, name: str) -> None:
        """Remove a file, which messages call `name`; NotFound."""
        with self._connections.session() as session:
            if not remove(session, self._place.full(path), name):
                raise NotFound(f"{shown(name)}: does not exist")


def marks_of_line(line: Line) -> Marks:
    """Return the marks of a file, without what identifies it at the server: a rename may change that."""
    return marks_of(line.size, line.modified_at if line.version else "")


def mark_of_entry(entry: Entry) -> str:
    """Return the mark of size and time of a listed file, of its size where it has no time, "" where it has neither."""
    # The version has the size at the server also where that of a text is not told.
    size = entry.version.partition(":")[0] or entry.size
    return "" if size is None else marks_of(size, entry.modified_at if entry.version else "")[0]
