"""Build remote paths, and turn attributes of a server into entries."""

from typing import Final

import asyncssh

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import BadName, NotFound, NotRegular, TargetIsFolder
from mft_common.endpoints.names import check_name, check_path, is_temporary, printable
from mft_common.endpoints.sftp.connection import Connection, Session

# A server that does not tell what a name is may mean a file.
_REGULAR: Final = (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN)


class Place:
    """The endpoint's folder at the server: `full` gives the bytes of a path in it."""

    def __init__(self, folder: str) -> None:
        # A path that does not begin with / is looked up by the server from the folder after the login.
        self.folder = encode(folder) or b"."

    def full(self, path: str) -> bytes:
        """Return the server's path of a path of the endpoint; BadName."""
        return self.join(check_path(path))

    def join(self, path: str) -> bytes:
        """Return the server's path of a path that is known to be harmless; "" is the endpoint's folder."""
        return self.folder.rstrip(b"/") + b"/" + encode(path) if path else self.folder


def encode(path: str) -> bytes:
    """Return the bytes of a path; BadName for characters that no name can hold."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadName("a path holds a character that no file system can store") from error


def decode(raw: bytes) -> str:
    """Return a name of a server as a path of an entry."""
    return raw.decode("utf-8", "surrogateescape")


def entry_of(path: str, attributes: asyncssh.SFTPAttrs) -> Entry:
    """Return the entry of a file or folder; its version is made of size and time where the server tells both."""
    size = attributes.size
    modified_at = (
        None if attributes.mtime is None else attributes.mtime * 1000 + (attributes.mtime_ns or 0) // 1_000_000
    )
    if attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
        return Entry(path, None, modified_at, kind="folder")
    version = "" if size is None or modified_at is None else f"{size}-{modified_at}"
    return Entry(path, size, modified_at, version)


def why_skipped(name: str, attributes: asyncssh.SFTPAttrs) -> str | None:
    """Return why a listed file or folder cannot be used, None where it can. A server may list any bytes as a name."""
    try:
        check_name(name)
    except BadName as error:
        return str(error)
    if attributes.type not in (*_REGULAR, asyncssh.FILEXFER_TYPE_DIRECTORY):
        return f"{shown(name)}: is a link or a special file"
    return None


def is_listed(name: str) -> bool:
    """Return False for the folder itself, the one above and unfinished files of ours."""
    return name not in (".", "..") and not is_temporary(name)


async def lookup(connection: Connection, session: Session, full: bytes, name: str) -> asyncssh.SFTPAttrs | None:
    """Return the attributes of a path itself, links not followed; None where there is nothing."""
    try:
        return await connection.ask(session.client.lstat(full), name, session)
    except NotFound:
        return None


def check_regular(attributes: asyncssh.SFTPAttrs, name: str) -> None:
    """Raise unless the attributes may be those of a regular file: TargetIsFolder, NotRegular."""
    if attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
        raise TargetIsFolder(f"{name}: is a folder")
    if attributes.type not in _REGULAR:
        raise NotRegular(f"{name}: is a link or a special file")


def shown(path: str) -> str:
    """Return a path for messages and logs."""
    return printable(path) or "the folder"
