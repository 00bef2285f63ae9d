"""Share settings of the configuration among all replicas, through the database."""

import json
from typing import Any

from gateway.store import accounts
from gateway.store.lookup import Lookup
from mft_common.database import Database


class SharedSetting:
    """A JSON value under a name, so that all replicas agree on it and a running hub can be changed."""

    def __init__(self, database: Database, name: str, default: Any) -> None:
        self._database = database
        self._lookup = Lookup(database)
        self._name = name
        self._default = default

    def get(self) -> Any:
        """Return the value, or the default where none is stored, in one indexed read."""
        stored = self._lookup.key_value(self._name)
        return self._default if stored is None else json.loads(stored)

    def put(self, value: Any) -> None:
        """Store a value; writes nothing where it is stored already."""
        if self.get() != json.loads(json.dumps(value)):
            with self._database.write() as connection:
                accounts.put_value(connection, self._name, json.dumps(value, sort_keys=True).encode())
