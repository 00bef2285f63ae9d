"""The `sftp:` endpoint: a folder of an SSH server, over one connection with a pinned host key."""

import contextlib
from collections.abc import Iterator
from typing import Final

import asyncssh

from mft_common.endpoints import aside_delete
from mft_common.endpoints.aside_delete import Marks, marks_of
from mft_common.endpoints.closing import Closing
from mft_common.endpoints.contract import Checkpoint, Entry, Features, IfExists, Skipped, ignore
from mft_common.endpoints.errors import Changed, Denied, Exists, NotFound, TransferError
from mft_common.endpoints.former import former_name
from mft_common.endpoints.names import Patterns, is_temporary, temporary_name
from mft_common.endpoints.sftp.connection import Connection, Session
from mft_common.endpoints.sftp.files import SftpFiles
from mft_common.endpoints.sftp.listing import Listing
from mft_common.endpoints.sftp.places import Place, check_regular, entry_of, lookup, shown
from mft_common.endpoints.sftp.problems import has_no_reason
from mft_common.endpoints.sftp.publish import Names, Publisher
from mft_common.endpoints.sftp.reader import SftpReader, open_reader
from mft_common.endpoints.sftp.writer import SftpWriter
from mft_common.endpoints.targets import Target

# Files that may be under way over one connection: servers allow a limited number of open files, and more do not help.
AT_ONCE: Final = 16


def open_sftp(target: Target) -> "SftpEndpoint":
    """Connect to a server and log in; UntrustedServer, AuthenticationFailed, Transient.

    `target.host_key` is a fingerprint or a public key: no other key of the server is accepted. The password or key is
    sent only after that key was proven.
    """
    connection = Connection(target)
    try:
        session = connection.call(connection.session())
    except BaseException:
        connection.close()
        raise
    return SftpEndpoint(connection, session)


class SftpEndpoint(Closing):
    """A folder of an SSH server.

    Up to `AT_ONCE` threads may use it at once, each with readers and writers of its own: they share the connection.
    """

    def __init__(self, connection: Connection, session: Session) -> None:
        self._connection = connection
        self._place = Place(connection.target.folder)
        self._listing = Listing(connection, self._place)
        self._files = SftpFiles(connection, self._place)
        self.features = features_of(session)

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Yield the regular files that match, in the server's order."""
        return self._listing.files(patterns, skipped, recursive=recursive)

    def stat(self, path: str) -> Entry:
        """Return the file or folder of a path, "" for the endpoint's own; NotFound, NotRegular for links."""
        return self._connection.call(self._stat(path))

    def open(self, entry: Entry, start: int = 0) -> SftpReader:
        """Open a file as it is now; with `start` Changed where it is known not to be the listed version."""
        full = self._place.full(entry.path)
        return self._connection.call(open_reader(self._connection, full, entry, start))

    def writer(
        self, path: str, *, token: str, size: int | None = None, resume: Checkpoint | None = None,
        modified_at: int | None = None, if_exists: IfExists = "replace",
    ) -> SftpWriter:  # fmt: skip
        """Return a writer to `path` with a temporary file of `token` beside it."""
        return SftpWriter(
            self._connection, self._place, path, token=token, size=size, resume=resume, modified_at=modified_at,
            if_exists=if_exists,
        )  # fmt: skip

    def rename(self, path: str, target: str) -> None:
        """Rename a file; Exists where the target is there."""
        self._connection.call(self._rename(path, target))

    def delete(self, entry: Entry, *, token: str) -> None:
        """Delete a listed file; Changed where size or time are no longer the listed ones."""
        self._place.full(entry.path)
        if not entry.version:
            self._connection.call(self._look(entry))
            self._files.remove(entry.path, entry.path)
            return
        mark, _ = marks_of(entry.size, entry.modified_at)
        aside_delete.delete(self._files, entry.path, mark, token, lambda: self._connection.call(self._look(entry)))

    def end_deletions(self, token: str) -> None:
        """End the deletions of `token` that were cut off, of the files of this folder and not of those below."""
        found = sorted(self._listing.temporaries(token, "", recursive=False))
        aside_delete.end_deletions(self._files, found, token)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it, the endpoint's own included."""
        full = self._place.full(path) if path else self._place.folder
        self._connection.call(self._make_folder(full, shown(path)))

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Remove the unfinished files of `token`, and give former files that were moved aside their names back.

        Looks into the endpoint's folder and those of `temporaries`, without these into all folders below.
        """
        folders = {"", *(path.rpartition("/")[0] for path in temporaries)}
        found = {path for path in temporaries if is_temporary(path.rpartition("/")[2], token)}
        for folder in folders:
            found.update(self._listing.temporaries(token, folder, recursive=not temporaries))
        # Former files first: that a new one is unfinished tells whose file has the name.
        ordered = sorted(found, key=lambda path: (former_name(path.rpartition("/")[2], token) is None, path))
        return tuple(sorted(path for path in ordered if self._remove_unfinished(path, token)))

    def close(self) -> None:
        """Close the connection; never raises."""
        self._connection.close()

    async def _stat(self, path: str) -> Entry:
        full = self._place.full(path) if path else self._place.folder
        session = await self._connection.session()
        if not path:
            return entry_of("", await self._connection.ask(session.client.stat(full), shown(path), session))
        attributes = await lookup(self._connection, session, full, shown(path))
        if attributes is None:
            raise NotFound(f"{shown(path)}: does not exist")
        entry = entry_of(path, attributes)
        if entry.kind == "file":
            check_regular(attributes, shown(path))
        return entry

    async def _rename(self, path: str, target: str) -> None:
        old, new = self._place.full(path), self._place.full(target)
        session = await self._connection.session()
        attributes = await lookup(self._connection, session, old, shown(path))
        if attributes is None:
            raise NotFound(f"{shown(path)}: does not exist")
        check_regular(attributes, shown(path))
        publisher = Publisher(self._connection, session, Names(target, new, old, None))
        await publisher.target("fail")
        await publisher.publish("fail", taken=False)

    async def _look(self, entry: Entry) -> Marks:
        """Return the marks of a listed file; NotFound, Changed."""
        name = shown(entry.path)
        session = await self._connection.session()
        attributes = await lookup(self._connection, session, self._place.full(entry.path), name)
        if attributes is None:
            raise NotFound(f"{name}: does not exist")
        check_regular(attributes, name)
        now = entry_of(entry.path, attributes)
        if entry.version and now.version != entry.version:
            raise Changed(f"{name}: changed since it was read, so it was not deleted")
        return marks_of(now.size, now.modified_at)

    async def _make_folder(self, full: bytes, name: str) -> None:
        session = await self._connection.session()
        missing = []
        while True:
            try:
                # OpenSSH answers a folder that is there with a failure that has no reason.
                await self._connection.ask(session.client.mkdir(full), name, session)
            except NotFound:
                missing.append(full)
                full = full.rpartition(b"/")[0]
                if not full:
                    raise
                continue
            except (Exists, TransferError) as error:
                if not has_no_reason(error) and not isinstance(error, Exists):
                    raise
                if not await self._is_folder(session, full, name):
                    raise
            if not missing:
                return
            full = missing.pop()

    async def _is_folder(self, session: Session, full: bytes, name: str) -> bool:
        attributes = await self._connection.ask(session.client.stat(full), name, session)
        return entry_of("", attributes).kind == "folder"

    def _remove_unfinished(self, path: str, token: str) -> bool:
        # A file that was moved aside to be deleted may be a newer one.
        if aside_delete.end_deletion(self._files, path, token):
            return True
        return self._connection.call(self._sweep(path, token))

    async def _sweep(self, path: str, token: str) -> bool:
        above, slash, hidden = path.rpartition("/")
        session = await self._connection.session()
        final = former_name(hidden, token)
        if final is not None:
            full = self._place.join(f"{above}{slash}{final}")
            part = self._place.join(f"{above}{slash}{temporary_name(final, token)}")
            names = Names(f"{above}{slash}{final}", full, part, self._place.join(path))
            return await Publisher(self._connection, session, names).restore(always=True)
        full = self._place.join(path)
        # A folder is never ours. A server that lets nobody look may still let the file be removed.
        with contextlib.suppress(Denied):
            attributes = await lookup(self._connection, session, full, shown(path))
            if attributes is None or attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
                return False
        return await Publisher(self._connection, session, Names(path, b"", full, None)).remove(full)


def features_of(session: Session) -> Features:
    """Return what a server can do, as its answers at the beginning of the session told."""
    return Features(
        resume_read=True,
        resume_write=True,
        atomic_replace=session.posix_rename,
        exclusive_create=session.hard_link,
        # Without it OpenSSH renames by a link and a removal, between which another file can take the name.
        exact_deletion=session.posix_rename,
        modified_at=True,
        keeps_modified_at=True,
        recursive=True,
        folders=True,
        at_once=AT_ONCE,
    )
