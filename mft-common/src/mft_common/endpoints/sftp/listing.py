"""List a remote folder and those below it, a batch of names at a time."""

import contextlib
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Final

import asyncssh

from mft_common.endpoints.contract import Entry, Skipped
from mft_common.endpoints.errors import Denied, NotFound, TransferError
from mft_common.endpoints.names import Patterns, is_temporary
from mft_common.endpoints.sftp.connection import Connection, Session
from mft_common.endpoints.sftp.places import Place, decode, entry_of, shown, why_skipped

# Names taken from the server's answers at a time: one hand-over between threads for about three answers.
_BATCH: Final = 256


class Listing:
    """The files below the endpoint's folder; of those, one that cannot be read is skipped."""

    def __init__(self, connection: Connection, place: Place) -> None:
        self._connection = connection
        self._place = place

    def files(self, patterns: Patterns, skipped: Skipped, *, recursive: bool) -> Iterator[Entry]:
        """Yield the matching files in the server's order, those of a folder before those of its folders."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            below: list[str] = []
            try:
                yield from self._files(folder, patterns, skipped, below)
            except (NotFound, Denied) as error:
                if not folder:
                    raise
                skipped(folder, str(error))
                continue
            if recursive:
                waiting += reversed(below)

    def temporaries(self, token: str, folder: str, *, recursive: bool) -> Iterator[str]:
        """Yield the paths of the unfinished files of `token` in a folder."""
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            try:
                for name, path, attributes in self._names(folder):
                    if attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
                        waiting += [path] if recursive and why_skipped(name, attributes) is None else []
                    elif is_temporary(name, token):
                        yield path
            except (NotFound, Denied):
                continue

    def _files(
        self, folder: str, patterns: Patterns, skipped: Skipped, below: list[str]
    ) -> Generator[Entry, None, None]:
        for name, path, attributes in self._names(folder):
            if is_temporary(name):
                continue
            is_folder = attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY
            if not is_folder and not patterns.match(name):
                continue
            why = why_skipped(name, attributes)
            if why is not None:
                skipped(path, why)
            elif is_folder:
                below.append(path)
            else:
                yield entry_of(path, attributes)

    def _names(self, folder: str) -> Generator[tuple[str, str, asyncssh.SFTPAttrs], None, None]:
        """Yield name, path and attributes of what a folder holds; names are bytes, UTF-8 or not."""
        prefix = f"{folder}/" if folder else ""
        name = shown(folder)
        session = self._connection.call(self._connection.session())
        found = session.client.scandir(self._place.join(folder))
        try:
            while batch := self._connection.call(self._batch(found, name, session)):
                for one in batch:
                    raw = one.filename
                    decoded = decode(raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape"))
                    if decoded not in (".", ".."):
                        yield decoded, f"{prefix}{decoded}", one.attrs
        finally:
            with contextlib.suppress(TransferError, RuntimeError):
                self._connection.call(self._end(found, name, session))

    async def _batch(
        self, found: AsyncIterator[asyncssh.SFTPName], name: str, session: Session
    ) -> list[asyncssh.SFTPName]:
        async def collect() -> list[asyncssh.SFTPName]:
            batch: list[asyncssh.SFTPName] = []
            async for one in found:
                batch.append(one)
                if len(batch) == _BATCH:
                    break
            return batch

        return await self._connection.ask(collect(), name, session)

    async def _end(self, found: AsyncIterator[asyncssh.SFTPName], name: str, session: Session) -> None:
        """Close the folder's handle where the listing was left before its end."""
        close = getattr(found, "aclose", None)
        if close is not None:
            await self._connection.ask(close(), name, session)
