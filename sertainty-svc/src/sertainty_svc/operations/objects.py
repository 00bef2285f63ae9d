"""Get, save and add the IDs, or the scripts, of a configuration and the shared ones."""

from typing import Final

import sqlalchemy as sa

from sertainty_svc.errors import AlreadyExists, GeneralError, NotFound
from sertainty_svc.operations import agenda
from sertainty_svc.operations.calls import Call
from sertainty_svc.operations.context import Context
from sertainty_svc.store import configurations
from sertainty_svc.store import objects as store
from sertainty_svc.store.objects import SHARED, Key, Kind

_WORDS: Final = {"id": "ID", "script": "script"}


class Objects:
    """The objects of one kind. A call without the argument `config-name` is about the shared ones."""

    def __init__(self, context: Context, kind: Kind) -> None:
        self._context = context
        self._kind: Kind = kind

    def fetch(self, call: Call) -> bytes:
        """Return the contents that were saved; NotFound without the configuration, or the object in it (213)."""
        with self._context.database.read() as connection:
            contents = store.find(connection, self._key(connection, call))
        if contents is None:
            raise NotFound(f"there is no such {_WORDS[self._kind]}")
        return contents

    def save(self, call: Call, contents: bytes, uid: str = "") -> None:
        """Save an object over one of the same name; NotFound without the configuration."""
        with self._context.database.write() as connection:
            configurations.lock(connection)
            key = self._key(connection, call, keep=True)
            try:
                store.save(connection, key, contents, uid)
            except store.TooMany as error:
                raise self._full() from error
            self._log(connection, call, "saved")
            # A task that waits after it missed this, or could not use it, tries again at once (78, 86).
            agenda.retry_faults(connection)

    def check_new(self, call: Call) -> None:
        """Raise NotFound without the configuration, AlreadyExists where the name is taken in it."""
        with self._context.database.read() as connection:
            if store.exists(connection, self._key(connection, call)):
                raise AlreadyExists(f"the name of the {_WORDS[self._kind]} is taken")

    def insert(self, call: Call, contents: bytes, uid: str = "") -> None:
        """Add an object; NotFound without the configuration, AlreadyExists where the name is taken in it."""
        with self._context.database.write() as connection:
            configurations.lock(connection)
            key = self._key(connection, call, keep=True)
            try:
                added = store.insert(connection, key, contents, uid)
            except store.TooMany as error:
                raise self._full() from error
            if not added:
                raise AlreadyExists(f"the name of the {_WORDS[self._kind]} is taken")
            self._log(connection, call, "created")
            agenda.retry_faults(connection)

    def _key(self, connection: sa.Connection, call: Call, *, keep: bool = False) -> Key:
        (name,) = call.arguments[f"{self._kind}-name"]
        if "config-name" not in call.arguments:
            return Key(self._kind, SHARED, name)
        owner = store.configuration_id(connection, call.arguments["config-name"][0], keep=keep)
        if owner is None:
            raise NotFound("there is no such configuration")
        return Key(self._kind, owner, name)

    def _log(self, connection: sa.Connection, call: Call, change: str) -> None:
        (name,) = call.arguments[f"{self._kind}-name"]
        (config,) = call.arguments.get("config-name", [""])
        shared = "" if config else "shared "
        text = f"The {shared}{_WORDS[self._kind]} {name} was {change}."
        self._context.log(connection, call, f"{self._kind}.{change}", text, config=config)

    def _full(self) -> GeneralError:
        return GeneralError(f"There is room for {store.MAX_OBJECTS} IDs and scripts, and no more.")
