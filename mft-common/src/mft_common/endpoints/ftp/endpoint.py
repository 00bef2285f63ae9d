"""The `ftp:` and `ftps:` endpoints: a folder of an FTP server."""

from collections.abc import Iterator
from dataclasses import replace

from mft_common.endpoints import aside_delete
from mft_common.endpoints.aside_delete import Marks
from mft_common.endpoints.closing import Closing
from mft_common.endpoints.contract import Checkpoint, Entry, Features, IfExists, Skipped, ignore
from mft_common.endpoints.errors import (
    Changed,
    Exists,
    NotFound,
    NotRegular,
    TargetIsFolder,
    TransferError,
    Unsupported,
)
from mft_common.endpoints.former import aside_name, former_name
from mft_common.endpoints.ftp.files import FtpFiles, mark_of_entry, marks_of_line
from mft_common.endpoints.ftp.lines import Line
from mft_common.endpoints.ftp.listing import Listing
from mft_common.endpoints.ftp.places import Place
from mft_common.endpoints.ftp.publish import Names, remove_unfinished, rename, restore_former
from mft_common.endpoints.ftp.reader import FtpReader
from mft_common.endpoints.ftp.replies import shown
from mft_common.endpoints.ftp.session import Connections, Session
from mft_common.endpoints.ftp.text import FromNetwork
from mft_common.endpoints.ftp.writer import FtpWriter
from mft_common.endpoints.names import Patterns, check_path, is_temporary
from mft_common.endpoints.targets import Target


def open_ftp(target: Target) -> "FtpEndpoint":
    """Connect to an FTP server and log in.

    TLS is explicit for `ftps:`, implicit where the port is 990 or the configuration says so (`target.tls`), and none
    for `ftp:`. AuthenticationFailed, UntrustedServer, Transient.
    """
    return FtpEndpoint(target)


class FtpEndpoint(Closing):
    """A folder of an FTP server, over one control connection unless a transfer is open while something else is asked.

    `features` are those that the server named after the login. No server says whether its rename replaces a file, so
    `atomic_replace` is never promised; and none can refuse to (`exclusive_create`).
    """

    def __init__(self, target: Target) -> None:
        self._mode = target.mode
        self._connections = Connections(lambda: Session(target))
        with self._connections.session() as session:
            self.features = features_of(session, target)
            self._place = Place.of(target.folder, session.home)
        self._listing = Listing(self._connections, self._place)
        self._files = FtpFiles(self._connections, self._place)

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Yield the matching files, without times and versions where the server has no MLSD."""
        for entry in self._listing.files(patterns, skipped, recursive=recursive):
            yield self._sized(entry)

    def _sized(self, entry: Entry) -> Entry:
        """Return the entry without its size in ASCII: the server's size counts its own line ends."""
        return entry if self._mode == "binary" else replace(entry, size=None)

    def stat(self, path: str) -> Entry:
        """Return the file or folder of a path, "" for this folder; by SIZE and MDTM where the server has no MLST."""
        full = self._place.checked(path) if path else self._place.full("")
        with self._connections.session() as session:
            return self._sized(_entry(path, _there(session, full, path)))

    def open(self, entry: Entry, start: int = 0) -> FtpReader:
        """Open a file as it is now, from the byte `start` on; Changed where it has another version than `entry`."""
        path, full = entry.path, self._place.checked(entry.path)
        if start and not self.features.resume_read:
            raise Unsupported(f"{shown(path)}: the server cannot begin at a byte")
        session = self._connections.take()
        try:
            now = _opened(entry, _there(session, full, path), start)
            data = session.transfer(f"RETR {full}", path, mode=self._mode, rest=start)
        except BaseException:
            self._connections.give(session)
            raise
        text = FromNetwork() if self._mode == "ascii" else None
        return FtpReader(self._connections, session, data, self._sized(now), full, start=start, text=text)

    def writer(
        self, path: str, *, token: str, size: int | None = None, resume: Checkpoint | None = None,
        modified_at: int | None = None, if_exists: IfExists = "replace",
    ) -> FtpWriter:  # fmt: skip
        """Return a writer to `path` with a temporary file of `token` beside it."""
        del size
        return FtpWriter(
            self._connections, self._place, check_path(path), token=token, mode=self._mode, resume=resume,
            resumes=self.features.resume_write, modified_at=modified_at, if_exists=if_exists,
        )  # fmt: skip

    def rename(self, path: str, target: str) -> None:
        """Rename a file; Exists where the target is there. The server may replace one that comes at that moment."""
        old, new = self._place.checked(path), self._place.checked(target)
        with self._connections.session() as session:
            if _there(session, old, path).kind == "folder":
                raise TargetIsFolder(f"{shown(path)}: is a folder")
            if session.lookup(new, target) is not None:
                raise Exists(f"{shown(target)}: exists already")
            rename(session, old, new, path)

    def delete(self, entry: Entry, *, token: str) -> None:
        """Delete a file; Changed where its version, or its size where it has no version, is not that of `entry`."""
        path, full = entry.path, self._place.checked(entry.path)

        def look() -> Marks:
            with self._connections.session() as session:
                line = _there(session, full, path)
            if not _same(entry, _entry(path, line)):
                raise Changed(f"{shown(path)}: changed since it was read, so it was not deleted")
            return marks_of_line(line)

        mark = mark_of_entry(entry) or look()[1]
        aside_delete.delete(self._files, path, mark, token, look)

    def end_deletions(self, token: str) -> None:
        """End the deletions of `token` that were cut off, of the files of this folder and not of those below."""
        aside_delete.end_deletions(self._files, self._listing.temporaries(token, recursive=False), token)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        full = self._place.checked(path) if path else self._place.full("")
        with self._connections.session() as session:
            self._make(session, full, path)

    def _make(self, session: Session, full: str, name: str) -> None:
        line = session.lookup(full, name)
        if line is not None:
            if line.kind != "folder":
                raise Exists(f"{shown(name)}: exists already")
            return
        above = full.rpartition("/")[0]
        if above:
            self._make(session, above, name)
        try:
            session.command(f"MKD {full}", name)
        except TransferError as error:
            # Another client may have made it at the same time.
            if error.heals or session.lookup(full, name) is None:
                raise

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Remove every unfinished file of `token`: those in this folder and `temporaries`; without these in all below.

        A former file that was moved aside gets its name back where no file has that.
        """
        found = dict.fromkeys(self._listing.temporaries(token, recursive=not temporaries))
        for path in temporaries:
            if is_temporary(path.rpartition("/")[2], token):
                found[path] = None
                if aside := _aside_of(path, token):
                    found[aside] = None
        # Former files first: that a new one is unfinished tells whose file has the name.
        ordered = sorted(found, key=lambda path: (former_name(path.rpartition("/")[2], token) is None, path))
        return tuple(sorted(path for path in ordered if self._remove(path, token)))

    def _remove(self, path: str, token: str) -> bool:
        # A file that was moved aside to be deleted may be a newer one.
        if aside_delete.end_deletion(self._files, path, token):
            return True
        above, slash, name = path.rpartition("/")
        former = former_name(name, token)
        with self._connections.session() as session:
            if former is None:
                return remove_unfinished(session, self._place.full(path), path)
            return restore_former(session, Names.of(self._place, f"{above}{slash}{former}", token))

    def close(self) -> None:
        """End the connections."""
        self._connections.close()


def features_of(session: Session, target: Target) -> Features:
    """Return what a server can do, as it said after the login."""
    binary = target.mode == "binary"
    sized = "size" in session.offers
    computes = "sha-256" in session.offers.get("hash", "").lower() or "xsha256" in session.offers
    return Features(
        resume_read=binary and session.restarts,
        resume_write=binary and session.restarts and sized,
        modified_at=session.lists_facts,
        keeps_modified_at="mfmt" in session.offers,
        checksums=("sha256",) if computes and binary else (),
        recursive=True,
        folders=True,
    )


def _there(session: Session, full: str, path: str) -> Line:
    line = session.lookup(full, path)
    if line is None:
        raise NotFound(f"{shown(path)}: does not exist")
    return line


def _entry(path: str, line: Line) -> Entry:
    if line.kind == "folder":
        return Entry(path, modified_at=line.modified_at, kind="folder")
    if line.kind != "file":
        raise NotRegular(f"{shown(path)}: is a link or a special file")
    return Entry(path, line.size, line.modified_at, line.version)


def _opened(entry: Entry, line: Line, start: int) -> Entry:
    """Return the entry of the version that is opened; NotRegular for no file, Changed where it is not to be read on."""
    if line.kind != "file":
        raise NotRegular(f"{shown(entry.path)}: is no regular file")
    now = _entry(entry.path, line)
    if start and not _same(entry, now):
        raise Changed(f"{shown(entry.path)}: the source changed since its first bytes were read")
    return now


def _same(listed: Entry, now: Entry) -> bool:
    """Return whether nothing tells that a file is another one than the listed."""
    if listed.version and now.version:
        return listed.version == now.version
    return None in (listed.size, now.size) or listed.size == now.size


def _aside_of(temporary: str, token: str) -> str | None:
    above, slash, hidden = temporary.rpartition("/")
    name = hidden.removeprefix(".").removesuffix(f".{token}.part")
    aside = aside_name(name, token)
    return f"{above}{slash}{aside}" if aside else None
