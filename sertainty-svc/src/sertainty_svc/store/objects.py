"""Store IDs and scripts, byte for byte as they were given (77); those of the configuration 0 are shared."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database import advisory_lock
from sertainty_svc import SERVICE
from sertainty_svc.store.tables import configuration, stored_object

Kind = Literal["id", "script"]
SHARED: Final = 0
# IDs and scripts of one configuration together (109).
MAX_OBJECTS: Final = 10_000
# IDs of one UUID that a file is opened with: each may have 1 MiB, and they go to the child in one message.
_MOST_COPIES: Final = 4
_C: Final = stored_object.c
_KEY: Final = (_C.kind, _C.configuration, _C.name)


class Key(NamedTuple):
    """The key of an object: its kind, the id of its configuration (SHARED for the shared ones), and its name."""

    kind: Kind
    owner: int
    name: str


class TooMany(Exception):  # noqa: N818 -- a condition
    """The configuration has as many IDs and scripts as it may have (109)."""


def configuration_id(connection: sa.Connection, name: str, *, keep: bool = False) -> int | None:
    """Return the id of a configuration; with `keep` it cannot be deleted before the transaction ends."""
    query = sa.select(configuration.c.id).where(configuration.c.name == name)
    found = connection.execute(query.with_for_update(read=True, key_share=True) if keep else query).scalar_one_or_none()
    return None if found is None else int(found)


def find(connection: sa.Connection, key: Key) -> bytes | None:
    """Return the contents of an object of that configuration itself; None where it has none of that name."""
    return connection.execute(sa.select(_C.contents).where(*_is(key))).scalar_one_or_none()


def exists(connection: sa.Connection, key: Key) -> bool:
    """Return whether there is an object of that key."""
    return connection.execute(sa.select(sa.literal(1)).where(*_is(key))).scalar_one_or_none() is not None


def resolve(connection: sa.Connection, key: Key) -> bytes | None:
    """Return the contents that a task of that configuration means: its own, else the shared ones (78)."""
    owners = _C.configuration.in_((key.owner, SHARED))
    query = sa.select(_C.contents).where(_C.kind == key.kind, owners, _C.name == key.name)
    return connection.execute(query.order_by(_C.configuration.desc()).limit(1)).scalar_one_or_none()


def find_ids(connection: sa.Connection, owner: int, uid: str) -> Sequence[bytes]:
    """Return the IDs with the UUID `uid` that tasks of `owner` can use: its own first, then the shared ones (90)."""
    query = sa.select(_C.contents).where(_C.kind == "id", _C.uid == uid, _C.configuration.in_((owner, SHARED)))
    return connection.execute(query.order_by(_C.configuration.desc(), _C.name).limit(_MOST_COPIES)).scalars().all()


def insert(connection: sa.Connection, key: Key, contents: bytes, uid: str = "") -> bool:
    """Add an object; False where the name exists, TooMany where the configuration is full."""
    _check_room(connection, key)
    row = _insert(connection, key, contents, uid).on_conflict_do_nothing().returning(_C.name)
    return connection.execute(row).scalar_one_or_none() is not None


def save(connection: sa.Connection, key: Key, contents: bytes, uid: str = "") -> None:
    """Add an object, or replace that of the same name; TooMany where it is new and the configuration is full."""
    _check_room(connection, key)
    values = {"contents": contents, "uid": uid}
    row = _insert(connection, key, contents, uid)
    connection.execute(row.on_conflict_do_update(index_elements=_KEY, set_=values))


def delete_all(connection: sa.Connection, owner: int) -> None:
    """Delete the IDs and scripts of a configuration."""
    connection.execute(sa.delete(stored_object).where(_C.configuration == owner))


def _is(key: Key) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(column == value for column, value in zip(_KEY, key, strict=True))


def _insert(connection: sa.Connection, key: Key, contents: bytes, uid: str) -> Any:
    made: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return made(stored_object).values(kind=key.kind, configuration=key.owner, name=key.name, contents=contents, uid=uid)


def _check_room(connection: sa.Connection, key: Key) -> None:
    """Raise TooMany where a new object has no room; transactions that add to one configuration follow one another."""
    advisory_lock(connection, f"{SERVICE} objects of {key.owner}")
    if not exists(connection, key):
        count = sa.select(sa.func.count()).select_from(stored_object).where(_C.configuration == key.owner)
        # With the kinds named, the primary key is an index for the count.
        if connection.execute(count.where(_C.kind.in_(("id", "script")))).scalar_one() >= MAX_OBJECTS:
            raise TooMany
