"""Rename and remove single files of an SFTP server for a deletion, over the session that is open at the moment."""

from mft_common.endpoints.aside_delete import Marks, marks_of
from mft_common.endpoints.errors import BadName, TransferError
from mft_common.endpoints.sftp.connection import Connection
from mft_common.endpoints.sftp.places import Place, check_regular, entry_of, lookup, shown
from mft_common.endpoints.sftp.problems import refuses_name
from mft_common.endpoints.sftp.publish import Names, Publisher


class SftpFiles:
    """The files below the endpoint's folder; every call waits for its answer."""

    def __init__(self, connection: Connection, place: Place) -> None:
        self._connection = connection
        self._place = place

    def marks(self, path: str) -> Marks | None:
        """Return the marks of a file, None where there is none; NotRegular, TargetIsFolder, BadName."""
        return self._connection.call(self._marks(path))

    def move(self, path: str, target: str) -> None:
        """Rename whichever file has the name, in one step where the server can."""
        self._connection.call(self._move(path, target))

    def give(self, path: str, target: str) -> None:
        """Rename a file to a name that must be free; Exists."""
        self._connection.call(self._give(path, target))

    def remove(self, path: str, name: str) -> None:
        """Remove a file, which messages call `name`; NotFound."""
        self._connection.call(self._remove(path, shown(name)))

    async def _marks(self, path: str) -> Marks | None:
        session = await self._connection.session()
        try:
            attributes = await lookup(self._connection, session, self._place.join(path), shown(path))
        except TransferError as error:
            if refuses_name(error):
                raise BadName(f"{shown(path)}: cannot be a file's name there") from error
            raise
        if attributes is None:
            return None
        check_regular(attributes, shown(path))
        return marks_of(attributes.size, entry_of(path, attributes).modified_at)

    async def _move(self, path: str, target: str) -> None:
        session = await self._connection.session()
        rename = session.client.posix_rename if session.posix_rename else session.client.rename
        renaming = rename(self._place.join(path), self._place.join(target))
        await self._connection.ask(renaming, shown(path), session)

    async def _give(self, path: str, target: str) -> None:
        session = await self._connection.session()
        names = Names(target, self._place.join(target), self._place.join(path), None)
        publisher = Publisher(self._connection, session, names)
        await publisher.target("fail")
        await publisher.rename(names.part, names.final)

    async def _remove(self, path: str, name: str) -> None:
        session = await self._connection.session()
        await self._connection.ask(session.client.remove(self._place.join(path)), name, session)
