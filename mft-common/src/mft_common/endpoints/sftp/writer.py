"""Write one remote file: temporary name, fsync, comparison while it is open, rename."""

import contextlib
from typing import Final, cast

import asyncssh

from mft_common.endpoints.contract import Begins, Checkpoint, IfExists, Stored, Verify, note_nothing
from mft_common.endpoints.errors import (
    Mismatch,
    NotFound,
    TransferError,
    Transient,
    Unsupported,
)
from mft_common.endpoints.former import aside_name
from mft_common.endpoints.names import temporary_name
from mft_common.endpoints.sftp.connection import Connection, Session, together
from mft_common.endpoints.sftp.part import File, close_whole, create, reopen, set_time
from mft_common.endpoints.sftp.places import Place, lookup
from mft_common.endpoints.sftp.publish import Names, Publisher
from mft_common.endpoints.sftp.reader import close_file, digest_of, status
from mft_common.endpoints.sftp.sealed import NOT_READ_BACK, Sealed
from mft_common.endpoints.sftp.window import WriteBehind

TAKEN_AWAY: Final = "the server took the file away at once, so that it could not be looked at under its name"
# A file up to this size is sent whole when it is sealed: its caller waits for the server once less.
_SMALL: Final = 64 << 10
NO_SIZE: Final = "the size was not compared, because the server does not tell it"


class SftpWriter:
    """A file on its way in. Everything is compared on the temporary name, and nothing is asked after the rename."""

    def __init__(
        self, connection: Connection, place: Place, path: str, *, token: str, size: int | None,
        resume: Checkpoint | None, modified_at: int | None, if_exists: IfExists,
    ) -> None:  # fmt: skip
        final = place.full(path)
        above, slash, name = path.rpartition("/")
        self.temporary = f"{above}{slash}{temporary_name(name, token)}"
        aside = aside_name(name, token)
        part = place.join(self.temporary)
        self._names = Names(path, final, part, None if aside is None else place.join(f"{above}{slash}{aside}"))
        self._name = self._names.shown
        self._connection = connection
        self._resume = resume
        self._modified_at = modified_at
        self._if_exists = if_exists
        self._session: Session | None = None
        self._file: File | None = None
        self._behind: WriteBehind | None = None
        # The bytes of a small file whose temporary file is not made yet, and of which no earlier try has left one.
        small = size is not None and size <= _SMALL and resume is None and if_exists == "replace"
        self._held = bytearray() if small else None
        # Whether the temporary file may exist, whether it was compared, and whether a rename was asked for.
        self._made = False
        self._sealed: Sealed | None = None
        self._committing = False
        self._committed: Stored | None = None
        # The file that had the final name when the rename was asked for.
        self._former: asyncssh.SFTPAttrs | None = None
        self._warnings: list[str] = []

    def begin(self, begins: Begins = note_nothing) -> int:
        """Open the temporary file of the checkpoint, or make a new one in place of what an earlier try left."""
        begins(self.temporary)
        return self._connection.call(self._begin()) if self._held is None else 0

    def feed(self, block: bytes | memoryview) -> None:
        """Take a block; it is sent at once, and answered while the next ones come. That of a small file waits."""
        if self._held is None:
            assert self._behind is not None
            self._behind.feed(block)
            return
        self._held += block
        if len(self._held) > _SMALL:
            raise Mismatch(f"{self._name}: more bytes came than were declared")

    def flush(self) -> Checkpoint:
        """Wait for every answer, and let the server fsync where it can."""
        if self._held is not None:
            return Checkpoint(0)
        assert self._behind is not None
        self._behind.drain()
        self._connection.call(self._flush(self._behind))
        return Checkpoint(self._behind.position)

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Fsync, then compare the size and, by reading the file back, the checksum, while the file is still open."""
        if self._behind is not None:
            self._behind.drain()
        found = self._connection.call(self._finish())
        arrived = None if found is None else found.size
        if arrived is not None and arrived != size:
            raise Mismatch(f"{self._name}: {arrived} bytes arrived of {size}")
        warning = self._read_back(size, sha256) if verify == "sha256" else NO_SIZE if arrived is None else ""
        self._warnings = [warning]
        session = self._session
        durable = session is not None and session.fsync
        self._sealed = Sealed(size, sha256, verify, None if found is None else found.mtime, durable)
        return True

    def commit(self) -> Stored:
        """Close and rename the file; may be called again after Transient, then over a new connection."""
        if self._committed is None:
            if self._sealed is None:
                raise Mismatch(f"{self._name}: was not compared with its source, so it gets no name")
            self._committed = self._connection.call(self._commit_at_once())
        if self._committed is None:
            session = self._connection.call(self._connection.session())
            self._committed = self._delivered(session) if self._committing else None
            if self._committed is None:
                self._compare_again(session)
                self._committed = self._connection.call(self._commit(session))
        return self._committed

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Remove the temporary file, or close and keep it; works over a new connection where the former one is lost."""
        if self._behind is not None:
            self._behind.cancel()
        if self._committed is not None or not self._made:
            return None
        self._connection.call(self._close())
        if keep and not self._committing:
            return None
        session = self._connection.call(self._connection.session())
        if self._committing:
            self._committed = self._delivered(session)
        if self._committed is None:
            self._connection.call(self._remove(session, keep=keep))
        self._made = keep and self._committed is None
        return self._committed

    async def _begin(self) -> int:
        session = self._session = await self._connection.session()
        publisher = Publisher(self._connection, session, self._names)
        await publisher.restore()
        # Set before the request: one that fails may have made the file nevertheless.
        self._made = True
        position = self._resume.position if self._resume is not None else 0
        if position or self._if_exists == "fail":
            await publisher.target(self._if_exists)
        if position:
            self._file, position = await reopen(self._connection, session, self._names, position)
        if not position:
            # What is held is sent so soon that the look of the commit is enough.
            look = [publisher.target(self._if_exists)] if self._held is None else []
            try:
                await together(*look, self._create(session))
            except TransferError:
                await self._close()
                raise
        assert self._file is not None
        self._behind = WriteBehind(self._connection, session, self._file, self._name, position)
        held, self._held = self._held, None
        self._behind.hold(held or b"")
        return position

    async def _create(self, session: Session) -> None:
        self._file = await create(self._connection, session, self._names)

    async def _flush(self, behind: WriteBehind) -> None:
        await behind.write_rest()
        await self._sync()

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

    async def _finish(self) -> asyncssh.SFTPAttrs | None:
        """Make the file durable, set its time, and return its attributes where the server tells them."""
        if self._held is not None:
            await self._begin()
        session, file, behind = self._session, self._file, self._behind
        assert session is not None
        assert file is not None
        assert behind is not None
        await behind.write_rest()
        looking = status(self._connection, session, file, self._name)
        *_, attributes = await together(
            self._sync(), set_time(self._connection, session, file, self._name, self._modified_at), looking
        )
        return cast("asyncssh.SFTPAttrs | None", attributes)

    def _read_back(self, size: int, sha256: str) -> str:
        """Compare the checksum by reading the file back; return a warning where the server does not allow that."""
        session = self._session
        assert session is not None
        found = digest_of(self._connection, session, self._names.part, self._name, size)
        if found is None:
            return NOT_READ_BACK
        if found != (size, sha256):
            raise Mismatch(f"{self._name}: the written bytes read back with another checksum")
        return ""

    async def _commit_at_once(self) -> Stored | None:
        """Close and rename the file over the session that sealed it; None where that is lost or was tried before.

        The temporary name is looked at just before: a file that is gone from there once it is closed was taken by the
        server, and one that was gone before was removed by somebody else.
        """
        session, file = self._session, self._file
        if file is None or session is None or session.connection.is_closed():
            return None
        publisher = Publisher(self._connection, session, self._names)
        part = lookup(self._connection, session, self._names.part, self._name)
        found, former = await together(part, publisher.target(self._if_exists))
        self._file = None
        try:
            await close_whole(self._connection, session, file, self._name)
        except Mismatch:
            self._sealed = None
            raise
        return await self._rename(session, former, was_there=found is not None)

    def _delivered(self, session: Session) -> Stored | None:
        """Return the delivered file where a rename without an answer was carried out, else None."""
        sealed, full = self._sealed, self._names.final
        assert sealed is not None
        publisher = Publisher(self._connection, session, self._names)
        part, final = self._connection.call(publisher.both())
        if final is None:
            return None
        if part is None:
            if not sealed.is_at(self._connection, session, full, self._name, found=final, former=self._former):
                return None
            return self._result(self._connection.call(publisher.finish()), replaced=None)
        if self._if_exists == "fail" and final.size == part.size and final.mtime == part.mtime:
            # The link may have been made, and the temporary name not yet removed.
            if not sealed.is_at(self._connection, session, full, self._name, found=final, former=final):
                return None
            with contextlib.suppress(TransferError):
                self._connection.call(publisher.remove(self._names.part))
            return self._result("", replaced=False)
        return None

    def _compare_again(self, session: Session) -> None:
        """Compare the temporary file once more where the session that sealed it is lost; Mismatch where it is gone."""
        if session is self._session and not self._committing:
            return
        sealed = self._sealed
        assert sealed is not None
        publisher = Publisher(self._connection, session, self._names)
        part, final = self._connection.call(publisher.both())
        if part is None:
            if final is None and self._committing:
                self._connection.call(publisher.restore())
            raise Mismatch(f"{self._name}: the written file is gone, and nothing proves that it was delivered")
        if session is not self._session:
            warning = sealed.compare_again(self._connection, session, self._names.part, self._name, part)
            self._warnings = list(dict.fromkeys([*self._warnings, *filter(None, [warning])]))
            self._session = session

    async def _commit(self, session: Session) -> Stored:
        publisher = Publisher(self._connection, session, self._names)
        return await self._rename(session, await publisher.target(self._if_exists))

    async def _rename(self, session: Session, former: asyncssh.SFTPAttrs | None, *, was_there: bool = False) -> Stored:
        publisher = Publisher(self._connection, session, self._names)
        self._former, self._committing = former, True
        taken = former is not None
        try:
            warning = await publisher.publish(self._if_exists, taken=taken)
        except NotFound as error:
            if await lookup(self._connection, session, self._names.folder, self._name) is None:
                raise
            if await lookup(self._connection, session, self._names.part, self._name) is not None:
                # The former file was removed by somebody else in this moment.
                raise Transient(f"{self._name}: was changed during the commit") from error
            if not was_there:
                raise Mismatch(f"{self._name}: the written file was removed before it got its name") from error
            # The file was compared while it was open: the server took it away when it was closed.
            warning = TAKEN_AWAY
        return self._result(warning, replaced=taken)

    def _result(self, warning: str, *, replaced: bool | None) -> Stored:
        sealed = self._sealed
        assert sealed is not None
        text = "; ".join(filter(None, [*self._warnings, warning]))
        return Stored(sealed.size, sealed.sha256, replaced=replaced, warning=text)

    async def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None and self._session is not None:
            with contextlib.suppress(TransferError):
                await close_file(self._connection, self._session, file, self._name)

    async def _remove(self, session: Session, *, keep: bool) -> None:
        publisher = Publisher(self._connection, session, self._names)
        await publisher.restore()
        if not keep:
            await publisher.remove(self._names.part)
