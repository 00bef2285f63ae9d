"""Write one remote file: temporary name, fsync, comparison while it is open, rename."""

import contextlib
import hashlib
from dataclasses import replace
from typing import Final

import asyncssh

from mft_common import logs
from mft_common.endpoints.contract import BLOCK, Checkpoint, IfExists, Stored, Verify
from mft_common.endpoints.errors import (
    DiskFull,
    Exists,
    Mismatch,
    NotFound,
    TransferError,
    Transient,
    Unsupported,
)
from mft_common.endpoints.names import temporary_name
from mft_common.endpoints.sftp.connection import Connection, Session
from mft_common.endpoints.sftp.places import Place, lookup
from mft_common.endpoints.sftp.problems import has_no_reason, is_refusal
from mft_common.endpoints.sftp.publish import Names, Publisher, aside_name
from mft_common.endpoints.sftp.reader import close_file, digest_of, status
from mft_common.endpoints.sftp.window import ReadAhead, WriteBehind

_NEW: Final = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
TAKEN_AWAY: Final = "the server took the file away at once, so that it could not be looked at under its name"
NOT_READ_BACK: Final = "the checksum was not compared, because the server does not let the file be read"
NO_SIZE: Final = "the size was not compared, because the server does not tell it"

File = asyncssh.SFTPClientFile


class SftpWriter:
    """A file on its way in. Everything is compared on the temporary name, and nothing is asked after the rename."""

    def __init__(
        self, connection: Connection, place: Place, path: str, *, token: str, resume: Checkpoint | None,
        modified_at: int | None, if_exists: IfExists,
    ) -> None:  # fmt: skip
        final = place.full(path)
        above, slash, name = path.rpartition("/")
        self.temporary = f"{above}{slash}{temporary_name(name, token)}"
        aside = aside_name(name, token)
        part = place.join(self.temporary)
        self._names = Names(path, final, part, None if aside is None else place.join(f"{above}{slash}{aside}"))
        self._name = self._names.shown
        self._folder = place.join(above)
        self._connection = connection
        self._resume = resume
        self._modified_at = modified_at
        self._if_exists = if_exists
        self._session: Session | None = None
        self._file: File | None = None
        self._behind: WriteBehind | None = None
        # Whether the temporary file may exist, whether it was compared, and whether a rename was asked for.
        self._made = False
        self._sealed = False
        self._committing = False
        self._committed: Stored | None = None
        self._stored = Stored(0, "")
        self._warnings: list[str] = []

    def begin(self) -> int:
        """Open the temporary file of the checkpoint, or make a new one in place of what an earlier try left."""
        return self._connection.call(self._begin())

    def feed(self, block: bytes | memoryview) -> None:
        """Take a block; it is sent at once, and answered while the next ones come."""
        assert self._behind is not None
        self._behind.feed(block)

    def flush(self) -> Checkpoint:
        """Wait for every answer, and let the server fsync where it can."""
        assert self._behind is not None
        self._behind.drain()
        self._connection.call(self._sync())
        return Checkpoint(self._behind.position)

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Fsync, then compare the size and, by reading the file back, the checksum, while the file is still open."""
        assert self._behind is not None
        self._behind.drain()
        self._warnings = []
        arrived = self._connection.call(self._finish())
        if arrived is not None and arrived != size:
            raise Mismatch(f"{self._name}: {arrived} bytes arrived of {size}")
        if verify == "sha256":
            self._compare(size, sha256)
        elif arrived is None:
            self._warnings.append(NO_SIZE)
        self._stored = Stored(size, sha256)
        self._sealed = True
        return True

    def commit(self) -> Stored:
        """Close and rename the file; may be called again after Transient, then over a new connection."""
        if self._committed is None:
            self._committed = self._connection.call(self._commit())
        return self._committed

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Remove the temporary file, or close and keep it; works over a new connection where the former one is lost."""
        if self._behind is not None:
            self._behind.cancel()
        if self._committed is not None or not self._made:
            return None
        found = self._connection.call(self._abort(keep=keep))
        self._committed = found
        self._made = keep and found is None
        return found

    async def _begin(self) -> int:
        session = self._session = await self._connection.session()
        publisher = Publisher(self._connection, session, self._names)
        await publisher.restore()
        await publisher.target(self._if_exists)
        # Set before the request: one that fails may have made the file nevertheless.
        self._made = True
        position = 0
        if self._resume is not None and self._resume.position:
            position = await self._reopen(session, self._resume.position)
        if not position:
            self._file = await self._create(session, publisher)
        assert self._file is not None
        self._behind = WriteBehind(self._connection, session, self._file, self._name, position)
        return position

    async def _open(self, session: Session, flags: int) -> File:
        opening = session.client.open(self._names.part, flags, encoding=None, block_size=None)
        return await self._connection.ask(opening, self._name, session)

    async def _create(self, session: Session, publisher: Publisher) -> File:
        """Make a new file, instead of emptying one that is there: a former connection may still be writing to that."""
        try:
            return await self._open(session, _NEW)
        except TransferError as error:
            if not has_no_reason(error) and not isinstance(error, Exists):
                raise
            if not await publisher.remove(self._names.part):
                raise await self._explained(session, error) from error
        return await self._open(session, _NEW)

    async def _explained(self, session: Session, error: TransferError) -> TransferError:
        """Return DiskFull where the file system of the folder has no room, else the error itself."""
        with contextlib.suppress(TransferError):
            disk = await self._connection.ask(session.client.statvfs(self._folder), self._name, session)
            if not disk.bavail or (disk.files and not disk.favail):
                return DiskFull(f"{self._name}: there is no room for it")
        return error

    async def _reopen(self, session: Session, position: int) -> int:
        """Open the temporary file and cut it off at `position`; return that, or 0 where it does not hold as much."""
        try:
            file = await self._open(session, asyncssh.FXF_WRITE)
        except NotFound:
            return 0
        attributes = await status(self._connection, session, file, self._name)
        size = None if attributes is None else attributes.size
        if size is None or size < position:
            await close_file(self._connection, session, file, self._name)
            return 0
        if size > position:
            await self._connection.ask(file.truncate(position), self._name, session)
        self._file = file
        return position

    async def _sync(self) -> None:
        """Make the file durable; a server without that request has done what it can when it answered the writes."""
        session, file = self._session, self._file
        assert session is not None
        assert file is not None
        if session.fsync:
            try:
                await self._connection.ask(file.fsync(), self._name, session)
            except Unsupported:
                session.fsync = False

    async def _finish(self) -> int | None:
        """Make the file durable, set its time, and return its size where the server tells it."""
        session, file = self._session, self._file
        assert session is not None
        assert file is not None
        await self._sync()
        if self._modified_at is not None:
            seconds = self._modified_at / 1000
            try:
                await self._connection.ask(file.utime((seconds, seconds)), self._name, session)
            except TransferError as error:
                if not is_refusal(error):
                    raise
                logs.get("endpoints.sftp").info("sftp.time_not_set", file=self._name, why=str(error))
        attributes = await status(self._connection, session, file, self._name)
        return None if attributes is None else attributes.size

    def _compare(self, size: int, sha256: str) -> None:
        session = self._session
        assert session is not None
        try:
            file = self._connection.call(self._open(session, asyncssh.FXF_READ))
        except TransferError as error:
            if not is_refusal(error):
                raise
            self._warnings.append(NOT_READ_BACK)
            return
        digest, count = hashlib.sha256(), 0
        ahead = self._connection.call(self._read_back(session, file, size))
        try:
            while block := ahead.take(BLOCK):
                digest.update(block)
                count += len(block)
        finally:
            ahead.cancel()
            with contextlib.suppress(TransferError):
                self._connection.call(close_file(self._connection, session, file, self._name))
        if count != size or digest.hexdigest() != sha256:
            raise Mismatch(f"{self._name}: the written bytes read back with another checksum")

    async def _read_back(self, session: Session, file: File, size: int) -> ReadAhead:
        return ReadAhead(self._connection, session, file, self._name, start=0, size=size)

    async def _commit(self) -> Stored:
        if not self._sealed:
            raise Mismatch(f"{self._name}: was not compared with its source, so it gets no name")
        session = await self._connection.session()
        await self._close_before_rename()
        publisher = Publisher(self._connection, session, self._names)
        if self._committing and (found := await self._carried_out(session, publisher)) is not None:
            return found
        taken = await publisher.target(self._if_exists)
        self._committing = True
        try:
            warning = await publisher.publish(self._if_exists, taken=taken)
        except NotFound as error:
            if await lookup(self._connection, session, self._folder, self._name) is None:
                raise
            if await lookup(self._connection, session, self._names.part, self._name) is not None:
                # The former file was removed by somebody else in this moment.
                raise Transient(f"{self._name}: was changed during the commit") from error
            # The file was compared while it was open: the server took it away when it was closed.
            warning = TAKEN_AWAY
        return self._result(warning, replaced=taken)

    def _result(self, warning: str, *, replaced: bool | None) -> Stored:
        return replace(self._stored, replaced=replaced, warning="; ".join(filter(None, [*self._warnings, warning])))

    async def _close_before_rename(self) -> None:
        """Close the handle: its answer is the last one that tells of a failed write."""
        file, self._file = self._file, None
        if file is None or self._session is None:
            return
        try:
            await close_file(self._connection, self._session, file, self._name)
        except TransferError as error:
            if not is_refusal(error):
                raise
            self._sealed = False
            raise Mismatch(f"{self._name}: the server could not close the file ({error})") from error

    async def _carried_out(self, session: Session, publisher: Publisher) -> Stored | None:
        """Return the delivered file where a commit whose answer was lost had been carried out, else None."""
        part = await lookup(self._connection, session, self._names.part, self._name)
        final = await lookup(self._connection, session, self._names.final, self._name)
        if part is None:
            # Nothing but our own rename takes the temporary name away.
            warning = await publisher.finish()
            return self._result(warning or ("" if final is not None else TAKEN_AWAY), replaced=None)
        if self._if_exists == "fail" and final is not None and final.size == part.size and final.mtime == part.mtime:
            # The link may have been made, and the temporary name not yet removed.
            both = (self._names.final, self._names.part)
            if len({await digest_of(self._connection, session, full, self._name) for full in both}) > 1:
                return None
            with contextlib.suppress(TransferError):
                await publisher.remove(self._names.part)
            return self._result("", replaced=False)
        return None

    async def _abort(self, *, keep: bool) -> Stored | None:
        file, self._file = self._file, None
        if file is not None and self._session is not None:
            with contextlib.suppress(TransferError):
                await close_file(self._connection, self._session, file, self._name)
        if keep and not self._committing:
            return None
        session = await self._connection.session()
        publisher = Publisher(self._connection, session, self._names)
        if self._committing and (found := await self._carried_out(session, publisher)) is not None:
            return found
        await publisher.restore()
        if not keep:
            await publisher.remove(self._names.part)
        return None
