"""Read one remote file through its handle, to its end, with many requests outstanding."""

import contextlib
import hashlib
from dataclasses import replace

import asyncssh

from mft_common.endpoints.contract import BLOCK, Entry
from mft_common.endpoints.errors import Changed, NotFound, TransferError
from mft_common.endpoints.sftp.connection import Connection, Session
from mft_common.endpoints.sftp.places import check_regular, entry_of, lookup, shown
from mft_common.endpoints.sftp.problems import has_no_reason, is_refusal
from mft_common.endpoints.sftp.window import ReadAhead


class SftpReader:
    """An open source file. No request names its path again: some servers let a file be opened once alone."""

    def __init__(
        self,
        connection: Connection,
        session: Session,
        file: asyncssh.SFTPClientFile,
        entry: Entry,
        start: int,
    ) -> None:
        self.entry = entry
        self._connection = connection
        self._session = session
        self._file = file
        self._name = shown(entry.path)
        self._position = start
        self._closed = False
        self._ahead = ReadAhead(connection, session, file, self._name, start=start, size=entry.size)

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes; Changed where the file ends before or after the size that the server named."""
        block = self._ahead.take(size)
        self._position += len(block)
        expected = self.entry.size
        if expected is not None and (self._position > expected or (not block and self._position < expected)):
            raise Changed(
                f"{self._name}: has {'more' if block else 'fewer'} bytes than the {expected} it was listed with"
            )
        return block

    def check(self) -> None:
        """Ask the open handle for size and time again; a server that refuses to tell is believed."""
        now = self._connection.call(status(self._connection, self._session, self._file, self._name))
        if now is None:
            return
        version = entry_of(self.entry.path, now).version
        if version and self.entry.version and version != self.entry.version:
            raise Changed(f"{self._name}: was changed while it was read")

    def close(self) -> None:
        """Close the handle; never raises."""
        if self._closed:
            return
        self._closed = True
        self._ahead.cancel()
        with contextlib.suppress(TransferError):
            self._connection.call(close_file(self._connection, self._session, self._file, self._name))


async def open_reader(connection: Connection, full: bytes, entry: Entry, start: int) -> SftpReader:
    """Open a file once and return its reader; NotFound, TargetIsFolder, Denied, Changed."""
    name = shown(entry.path)
    session = await connection.session()
    try:
        opening = session.client.open(full, asyncssh.FXF_READ, encoding=None, block_size=None)
        file = await connection.ask(opening, name, session)
    except TransferError as error:
        if has_no_reason(error):
            attributes = await lookup(connection, session, full, name)
            if attributes is None:
                raise NotFound(f"{name}: does not exist") from error
            check_regular(attributes, name)
        raise
    try:
        attributes = await status(connection, session, file, name)
        opened = entry
        if attributes is not None:
            check_regular(attributes, name)
            opened = entry_of(entry.path, attributes)
            if opened.size is None:
                opened = replace(opened, size=entry.size)
        _check_same(entry, opened, start)
        return SftpReader(connection, session, file, opened, start)
    except TransferError:
        await close_file(connection, session, file, name)
        raise


def _check_same(listed: Entry, opened: Entry, start: int) -> None:
    if not start:
        return
    changed = listed.version and opened.version and listed.version != opened.version
    if changed or (opened.size is not None and start > opened.size):
        raise Changed(f"{shown(listed.path)}: was changed since its first bytes were read")


async def status(
    connection: Connection, session: Session, file: asyncssh.SFTPClientFile, name: str
) -> asyncssh.SFTPAttrs | None:
    """Return the attributes of an open file, None where the server refuses to tell them."""
    try:
        return await connection.ask(file.stat(), name, session)
    except TransferError as error:
        if is_refusal(error):
            return None
        raise


async def close_file(connection: Connection, session: Session, file: asyncssh.SFTPClientFile, name: str) -> None:
    """Close a handle, also one of a connection that is lost; TransferError where the server reports a failure."""
    if session.connection.is_closed():
        return
    await connection.ask(file.close(), name, session)


def digest_of(
    connection: Connection, session: Session, full: bytes, name: str, size: int | None
) -> tuple[int, str] | None:
    """Return the number of bytes and the SHA-256 of a file; None where the server refuses to let it be read."""
    try:
        file, ahead = connection.call(_read_from_start(connection, session, full, name, size))
    except TransferError as error:
        if not is_refusal(error):
            raise
        return None
    digest, count = hashlib.sha256(), 0
    try:
        while block := ahead.take(BLOCK):
            digest.update(block)
            count += len(block)
    finally:
        ahead.cancel()
        with contextlib.suppress(TransferError):
            connection.call(close_file(connection, session, file, name))
    return count, digest.hexdigest()


async def _read_from_start(
    connection: Connection, session: Session, full: bytes, name: str, size: int | None
) -> tuple[asyncssh.SFTPClientFile, ReadAhead]:
    opening = session.client.open(full, asyncssh.FXF_READ, encoding=None, block_size=None)
    file = await connection.ask(opening, name, session)
    return file, ReadAhead(connection, session, file, name, start=0, size=size)
