"""Know which services take Basic credentials with each call, on every replica alike."""

import json
from collections.abc import Collection
from typing import Final

from gateway.store import accounts
from gateway.store.lookup import Lookup
from mft_common.database import Database

_BASIC: Final = "basic services"


class Basic:
    """What the configuration says of it, kept in the database: a running hub can be changed, and all replicas agree.

    It is asked only where a request carries such credentials, and nothing is cached: switched off is off at once.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lookup = Lookup(database)

    def takes(self, service: str) -> bool:
        """True when callers of this service may send Basic credentials with each call."""
        stored = self._lookup.key_value(_BASIC)
        return stored is not None and service in json.loads(stored)

    def apply(self, services: Collection[str]) -> None:
        """Let exactly these services take them from now on; writes nothing where that is so already."""
        value = json.dumps(sorted(services)).encode()
        with self._database.read() as connection:
            same = (accounts.key_value(connection, _BASIC) or b"[]") == value
        if not same:
            with self._database.write() as connection:
                accounts.put_value(connection, _BASIC, value)
