"""Open and close the temporary file of an upload: a new one, or the one that an earlier try left."""

import contextlib
from typing import Final

import asyncssh

from mft_common import logs
from mft_common.endpoints.errors import DiskFull, Exists, Mismatch, NotFound, TransferError
from mft_common.endpoints.sftp.connection import Connection, Session
from mft_common.endpoints.sftp.problems import has_no_reason, is_refusal
from mft_common.endpoints.sftp.publish import Names, Publisher
from mft_common.endpoints.sftp.reader import close_file, status

# A time has 32 bits, of seconds since 1970.
_TIMES_MS: Final = range(1000 << 32)
_NEW: Final = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL

File = asyncssh.SFTPClientFile


async def create(connection: Connection, session: Session, names: Names) -> File:
    """Make a new file, instead of emptying one that is there: a former connection may still be writing to that."""
    try:
        return await _open(connection, session, names, _NEW)
    except TransferError as error:
        if not has_no_reason(error) and not isinstance(error, Exists):
            raise
        if not await Publisher(connection, session, names).remove(names.part):
            raise await _explained(connection, session, names, error) from error
    return await _open(connection, session, names, _NEW)


async def reopen(connection: Connection, session: Session, names: Names, position: int) -> tuple[File | None, int]:
    """Open the file and cut it off at `position`; return it and that, or None and 0 where it does not hold as much."""
    try:
        file = await _open(connection, session, names, asyncssh.FXF_WRITE)
    except NotFound:
        return None, 0
    attributes = await status(connection, session, file, names.shown)
    size = None if attributes is None else attributes.size
    if size is None or size < position:
        await close_file(connection, session, file, names.shown)
        return None, 0
    if size > position:
        await connection.ask(file.truncate(position), names.shown, session)
    return file, position


async def set_time(connection: Connection, session: Session, file: File, name: str, modified_at: int | None) -> None:
    """Set the time of a file, in milliseconds, where one is given, SFTP can tell it and the server allows it."""
    if modified_at is None:
        return
    if modified_at not in _TIMES_MS:
        why = "SFTP has times of the years 1970 to 2106"
        logs.get("endpoints.sftp").info("sftp.time_not_set", file=name, why=why)
        return
    seconds = modified_at / 1000
    try:
        await connection.ask(file.utime((seconds, seconds)), name, session)
    except TransferError as error:
        if not is_refusal(error):
            raise
        logs.get("endpoints.sftp").info("sftp.time_not_set", file=name, why=str(error))


async def close_whole(connection: Connection, session: Session, file: File, name: str) -> None:
    """Close the handle: its answer is the last one that tells of a failed write. Mismatch where the server refuses."""
    try:
        await close_file(connection, session, file, name)
    except TransferError as error:
        if not is_refusal(error):
            raise
        raise Mismatch(f"{name}: the server could not close the file ({error})") from error


async def _open(connection: Connection, session: Session, names: Names, flags: int) -> File:
    opening = session.client.open(names.part, flags, encoding=None, block_size=None)
    return await connection.ask(opening, names.shown, session)


async def _explained(connection: Connection, session: Session, names: Names, error: TransferError) -> TransferError:
    """Return DiskFull where the file system of the folder has no room, else the error itself."""
    with contextlib.suppress(TransferError):
        disk = await connection.ask(session.client.statvfs(names.folder), names.shown, session)
        if not disk.bavail or (disk.files and not disk.favail):
            return DiskFull(f"{names.shown}: there is no room for it")
    return error
