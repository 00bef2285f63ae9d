"""Remember in the database which appearance of each name a watch has handled, and which definition of it is in force.

A name is remembered by its path and its identity, whatever its times are: there is no time before which files are
passed over. Both are stored as digests, so that a row is small however long a path is.
"""

# ruff: noqa: N818 -- the name of a condition

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.errors import MftError
from mft_common.watching.memory_tables import COUNTER, DIGEST_BYTES, memory_tables

# A statement of SQLite takes 32,766 values.
_ROWS: Final = 1000


class Superseded(MftError):
    """The definition of a watch has changed, or the watch was removed, since its scan began."""


def digest(text: str) -> bytes:
    """Return the digest under which a path or an identity is remembered."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=DIGEST_BYTES).digest()


class Memory:
    """The files that the watches of one service have handled, in tables of its database.

    Every method works in the caller's transaction. Each definition of a watch has a generation, and the writes of a
    scan name the one with which it began.
    """

    def __init__(self, metadata: sa.MetaData, name: str = "watch") -> None:
        self._watch, self._handled, self._woken = memory_tables(metadata, name)

    def define(self, connection: sa.Connection, key: str, definition: str) -> int:
        """Store the definition of a watch; return its generation, a new one where the definition differs.

        After the commit no scan by another definition hands over a file any more. What was handled stays remembered.
        """
        c = self._watch.c
        known = connection.execute(sa.select(c.definition, c.generation).where(c.key == key)).first()
        if known is not None and known.definition == definition:
            return int(known.generation)
        return self._new_generation(connection, key, definition)

    def define_all(self, connection: sa.Connection, definitions: Mapping[str, str]) -> list[str]:
        """Store the definitions of many watches by their keys, see `define`; return the keys of those that differ."""
        c, known = self._watch.c, dict[str, str]()
        for part in _parts(list(definitions)):
            rows = connection.execute(sa.select(c.key, c.definition).where(c.key.in_(part)))
            known.update({row.key: row.definition for row in rows})
        changed = sorted(key for key, definition in definitions.items() if known.get(key) != definition)
        if changed:
            generation = self._count(connection)
            values = [{"key": key, "generation": generation, "definition": definitions[key]} for key in changed]
            self._put(connection, values)
        return changed

    def remove(self, connection: sa.Connection, *keys: str) -> None:
        """Remove watches with all that they remember."""
        # In this order: the first statement waits for a scan that is about to commit, the second sees what it wrote.
        if connection.execute(sa.delete(self._watch).where(self._watch.c.key.in_(keys))).rowcount:
            self._count(connection)
        connection.execute(sa.delete(self._handled).where(self._handled.c.watch.in_(keys)))

    def keep_only(self, connection: sa.Connection, prefix: str, keys: Collection[str]) -> None:
        """Remove the watches whose key begins with `prefix` and is not among `keys`."""
        c = self._watch.c
        known = connection.execute(sa.select(c.key).where(c.key.startswith(prefix, autoescape=True), c.key != COUNTER))
        if gone := set(known.scalars()) - set(keys):
            self.remove(connection, *gone)

    def forget(self, connection: sa.Connection, key: str) -> None:
        """Forget what a watch has handled: what is in its folder is taken again."""
        c = self._watch.c
        definition = connection.execute(sa.select(c.definition).where(c.key == key)).scalar()
        if definition is not None:
            self._new_generation(connection, key, definition)
            connection.execute(sa.delete(self._handled).where(self._handled.c.watch == key))

    def forget_names(self, connection: sa.Connection, key: str, names: Collection[bytes]) -> None:
        """Forget some names, by the digests of their paths: what bears them is taken again, also if it is unchanged.

        A scan that is under way hands nothing over any more.
        """
        c = self._watch.c
        definition = connection.execute(sa.select(c.definition).where(c.key == key)).scalar()
        if definition is not None and names:
            self._new_generation(connection, key, definition)
            self.prune(connection, key, names)

    def reread(self, connection: sa.Connection) -> None:
        """Let the worker that scans read the definitions anew: which of them are in force depends on more than they."""
        self._count(connection)

    def wake(self, connection: sa.Connection, *folders: str) -> None:
        """Ask the worker that scans some folders to do so soon; it sees this after the commit.

        Transactions that also change watches do so before, so that two of them never wait for each other.
        """
        # Sorted: transactions that ask for the same folders in different orders would deadlock.
        rows = sorted(({"digest": digest(folder), "folder": folder} for folder in set(folders)), key=_digest_of)
        if not rows:
            return
        insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        added = insert(self._woken)
        # A request that is there is written again, so that it cannot be taken before this transaction is visible.
        again = added.on_conflict_do_update(index_elements=["digest"], set_={"folder": added.excluded.folder})
        connection.execute(again, rows)

    def has_woken(self, connection: sa.Connection) -> bool:
        """Return whether a worker has asked for a scan."""
        return connection.execute(sa.select(self._woken.c.digest).limit(1)).first() is not None

    def take_woken(self, connection: sa.Connection) -> list[str]:
        """Return the folders whose scan a worker has asked for, and delete the requests."""
        c = self._woken.c
        # Locked in the order in which they are written, see `wake`.
        found = connection.execute(sa.select(c.digest, c.folder).order_by(c.digest).with_for_update()).all()
        for part in _parts(found):
            connection.execute(sa.delete(self._woken).where(c.digest.in_([row.digest for row in part])))
        return [row.folder for row in found]

    def revision(self, connection: sa.Connection) -> int:
        """Return a number that grows with each change of any watch."""
        c = self._watch.c
        return connection.execute(sa.select(c.generation).where(c.key == COUNTER)).scalar() or 0

    def generations(self, connection: sa.Connection) -> dict[str, int]:
        """Return the generation of each watch, by key."""
        c = self._watch.c
        rows = connection.execute(sa.select(c.key, c.generation).where(c.key != COUNTER))
        return {row.key: row.generation for row in rows}

    def definitions(self, connection: sa.Connection, prefix: str = "") -> dict[str, str]:
        """Return the definition of each watch whose key begins with `prefix`, by key."""
        c = self._watch.c
        found = sa.select(c.key, c.definition).where(c.key.startswith(prefix, autoescape=True), c.key != COUNTER)
        return {row.key: row.definition for row in connection.execute(found)}

    def hold(self, connection: sa.Connection, key: str, generation: int) -> None:
        """Raise Superseded unless this generation is in force; it stays so until the end of the transaction."""
        c = self._watch.c
        same = sa.update(self._watch).where(c.key == key, c.generation == generation)
        if not connection.execute(same.values(generation=generation)).rowcount:
            raise Superseded(f"{key}: the watch has another definition")

    def load(self, connection: sa.Connection, key: str) -> dict[bytes, bytes]:
        """Return the identity of each name that a watch has handled, both as digests."""
        c = self._handled.c
        rows = connection.execute(sa.select(c.name, c.identity).where(c.watch == key))
        return {bytes(name): bytes(identity) for name, identity in rows}

    def mark(self, connection: sa.Connection, key: str, handled: Mapping[bytes, bytes], at: int) -> set[bytes]:
        """Remember names as handled; return those whose appearance was not remembered yet. `hold` comes before it."""
        c = self._handled.c
        new = dict(handled)
        for part in _parts(list(handled)):
            known = connection.execute(sa.select(c.name, c.identity).where(c.watch == key, c.name.in_(part)))
            for name, identity in known:
                if handled[bytes(name)] == bytes(identity):
                    del new[bytes(name)]
        if new:
            insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            added = insert(self._handled)
            values = {"identity": added.excluded.identity, "handled_at": at}
            rows = [{"watch": key, "name": name, "identity": one, "handled_at": at} for name, one in new.items()]
            connection.execute(added.on_conflict_do_update(index_elements=["watch", "name"], set_=values), rows)
        return set(new)

    def prune(self, connection: sa.Connection, key: str, names: Iterable[bytes]) -> None:
        """Forget names that are gone from the folder."""
        c = self._handled.c
        for part in _parts(list(names)):
            connection.execute(sa.delete(self._handled).where(c.watch == key, c.name.in_(part)))

    def is_remembered(self, key: sa.ColumnElement[str], name: sa.ColumnElement[bytes]) -> sa.ColumnElement[bool]:
        """Return the condition that a watch remembers a name, for statements about other tables of the service."""
        c = self._handled.c
        return sa.exists().where(c.watch == key, c.name == name)

    def count(self, connection: sa.Connection, key: str) -> int:
        """Return how many names a watch remembers."""
        c = self._handled.c
        return connection.execute(sa.select(sa.func.count()).where(c.watch == key)).scalar_one()

    def _new_generation(self, connection: sa.Connection, key: str, definition: str) -> int:
        generation = self._count(connection)
        self._put(connection, [{"key": key, "generation": generation, "definition": definition}])
        return generation

    def _count(self, connection: sa.Connection) -> int:
        """Return the next number; transactions that take one follow each other."""
        c = self._watch.c
        grown = sa.update(self._watch).where(c.key == COUNTER).values(generation=c.generation + 1)
        return int(connection.execute(grown.returning(c.generation)).scalar_one())

    def _put(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        added = insert(self._watch)
        values = {name: added.excluded[name] for name in ("generation", "definition")}
        connection.execute(added.on_conflict_do_update(index_elements=["key"], set_=values), list(rows))


def _digest_of(row: Mapping[str, Any]) -> bytes:
    return bytes(row["digest"])


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(rows), _ROWS):
        yield rows[begin : begin + _ROWS]
