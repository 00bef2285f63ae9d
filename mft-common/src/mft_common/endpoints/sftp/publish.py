"""Give a finished temporary file its final name, in one step where the server can, else without losing either file."""

import contextlib
from dataclasses import dataclass

import asyncssh

from mft_common import logs
from mft_common.endpoints.contract import IfExists
from mft_common.endpoints.errors import BadName, Exists, NotFound, TargetIsFolder, TransferError
from mft_common.endpoints.former import kept_name
from mft_common.endpoints.sftp.connection import Connection, Session
from mft_common.endpoints.sftp.places import decode, encode, lookup, shown
from mft_common.endpoints.sftp.problems import has_no_reason


@dataclass(frozen=True)
class Names:
    """The paths of one file on its way in: final, temporary, and that of the former file while it is moved aside.

    `path` is the endpoint's own path of the final name. `aside` is None where the name is too long for one.
    """

    path: str
    final: bytes
    part: bytes
    aside: bytes | None

    @property
    def folder(self) -> bytes:
        """The folder of the file."""
        return self.final.rpartition(b"/")[0] or b"/"

    @property
    def shown(self) -> str:
        """The final path in messages."""
        return shown(self.path)


class Publisher:
    """Renames one temporary file to its final name over one session."""

    def __init__(self, connection: Connection, session: Session, names: Names) -> None:
        self._connection = connection
        self._session = session
        self._names = names

    async def target(self, if_exists: IfExists) -> asyncssh.SFTPAttrs | None:
        """Return the file that has the final name, None for none; raise where it must not be replaced."""
        attributes = await lookup(self._connection, self._session, self._names.final, self._names.shown)
        if attributes is None:
            return None
        if attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
            raise TargetIsFolder(f"{self._names.shown}: is a folder")
        if if_exists == "fail":
            raise Exists(f"{self._names.shown}: exists already")
        return attributes

    async def both(self) -> tuple[asyncssh.SFTPAttrs | None, asyncssh.SFTPAttrs | None]:
        """Return what has the temporary name and what has the final one, None for nothing."""
        names = self._names
        part = await lookup(self._connection, self._session, names.part, names.shown)
        return part, await lookup(self._connection, self._session, names.final, names.shown)

    async def publish(self, if_exists: IfExists, *, taken: bool) -> str:
        """Give the file its final name and return a warning, "" for none; `taken` is whether `target` found a file.

        NotFound where the temporary file is gone.
        """
        if if_exists == "fail":
            return await self._link()
        if self._session.posix_rename:
            await self._rename_over()
            return ""
        former = await self._former()
        if not taken and not former:
            try:
                await self.rename(self._names.part, self._names.final)
                return ""
            except Exists:
                pass
        return await self._in_two_steps(aside_holds_former=former and not taken)

    async def restore(self, *, always: bool = False) -> bool:
        """Give a former file its name back where a replacement ended between its two renames; False without one.

        It is removed where the new file has the name, and kept where that is not renamed yet: another program has put
        its own file there meanwhile.
        """
        if (self._session.posix_rename and not always) or not await self._former():
            return False
        aside = self._names.aside
        assert aside is not None
        part, final = await self.both()
        if final is None:
            await self.rename(aside, self._names.final)
            logs.get("endpoints.sftp").warning("sftp.former_restored", file=self._names.shown)
        elif part is None:
            await self.remove(aside)
        else:
            await self._keep(aside)
        return True

    async def _keep(self, aside: bytes) -> None:
        """Give a former file a name that no sweep removes."""
        kept = kept_name(decode(aside))
        with contextlib.suppress(Exists):
            await self.rename(aside, encode(kept))
        fields = {"file": self._names.shown, "left": shown(kept.rpartition("/")[2])}
        logs.get("endpoints.sftp").warning("sftp.former_kept", **fields, why="another program has taken the name")

    async def remove(self, full: bytes) -> bool:
        """Remove a file; return False where it was gone already."""
        try:
            await self._connection.ask(self._session.client.remove(full), self._names.shown, self._session)
        except NotFound:
            return False
        return True

    async def finish(self) -> str:
        """Remove the former file after its replacement; return a warning where that fails."""
        if self._session.posix_rename or self._names.aside is None:
            return ""
        try:
            await self.remove(self._names.aside)
        except TransferError as error:
            kept = _last(self._names.aside)
            logs.get("endpoints.sftp").warning("sftp.former_left", file=self._names.shown, left=kept, why=str(error))
            return f"the former file is left as {kept}: {error}"
        return ""

    async def _former(self) -> bool:
        """Return whether a former file was moved aside; a folder of that name is none."""
        if self._names.aside is None:
            return False
        attributes = await lookup(self._connection, self._session, self._names.aside, self._names.shown)
        return attributes is not None and attributes.type != asyncssh.FILEXFER_TYPE_DIRECTORY

    async def _rename_over(self) -> None:
        names = self._names
        try:
            renaming = self._session.client.posix_rename(names.part, names.final)
            await self._connection.ask(renaming, names.shown, self._session)
        except TransferError as error:
            if has_no_reason(error):
                await self.target("replace")
            raise

    async def _link(self) -> str:
        """Link the final name, which fails where it is taken, then remove the temporary one."""
        names = self._names
        if not self._session.hard_link:
            # The server's own rename refuses a name that is taken, or not; we looked a moment ago.
            await self.rename(names.part, names.final)
            return ""
        try:
            await self._connection.ask(self._session.client.link(names.part, names.final), names.shown, self._session)
        except TransferError as error:
            if not has_no_reason(error):
                raise
            await self.target("fail")
            # The server's file system has no hard links.
            await self.rename(names.part, names.final)
            return ""
        # The file is delivered; a temporary name that cannot be removed now is left to the sweep.
        with contextlib.suppress(TransferError):
            await self.remove(names.part)
        return ""

    async def rename(self, old: bytes, new: bytes) -> None:
        """Rename a file to a name that must be free: NotFound, Exists or TargetIsFolder where stat tells a reason."""
        name = self._names.shown
        try:
            await self._connection.ask(self._session.client.rename(old, new), name, self._session)
        except TransferError as error:
            if not has_no_reason(error):
                raise
            taken = await lookup(self._connection, self._session, new, name)
            if taken is not None:
                if taken.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
                    raise TargetIsFolder(f"{name}: is a folder") from error
                raise Exists(f"{name}: exists already") from error
            if await lookup(self._connection, self._session, old, name) is None:
                raise NotFound(f"{name}: the temporary file is gone") from error
            raise

    async def _in_two_steps(self, *, aside_holds_former: bool) -> str:
        """Move the former file aside, rename, remove the former one; on a failure give it its name back.

        The former and the new content are complete under some name at every moment.
        """
        names = self._names
        if names.aside is None:
            raise BadName(f"{names.shown}: the name is too long to be replaced at a server without posix-rename")
        log = logs.get("endpoints.sftp")
        fields = {"file": names.shown, "former": _last(names.aside), "new": _last(names.part)}
        log.info("sftp.replacing_in_two_steps", **fields)
        if not aside_holds_former:
            if await self._former():
                # An older content than the one that has the final name now.
                await self.remove(names.aside)
            await self.rename(names.final, names.aside)
        try:
            await self.rename(names.part, names.final)
        except TransferError as error:
            try:
                await self.rename(names.aside, names.final)
            except TransferError as second:
                log.warning("sftp.former_kept_aside", **fields, why=str(second))
            else:
                log.warning("sftp.former_restored", **fields, why=str(error))
            raise
        log.info("sftp.replaced_in_two_steps", **fields)
        return await self.finish()


def _last(full: bytes) -> str:
    """Return the last step of a server's path, for messages."""
    return shown(decode(full.rpartition(b"/")[2]))
