"""Read the IDs and scripts that executions use: those of the configuration first, then the shared ones (78, 90)."""

from typing import Final, Literal

import sqlalchemy as sa

from sertainty_svc.store.tables import stored_object

Kind = Literal["id", "script"]
_SHARED: Final = 0
_C: Final = stored_object.c


def resolve(connection: sa.Connection, kind: Kind, owner: int, name: str) -> bytes | None:
    """Return the contents that a task of the configuration `owner` means by a name; None where there is none."""
    return _first(connection, owner, _C.kind == kind, _C.name == name)


def find_id(connection: sa.Connection, owner: int, uid: str) -> bytes | None:
    """Return the ID with the UUID `uid` that tasks of the configuration `owner` can use; None where there is none."""
    return _first(connection, owner, _C.kind == "id", _C.uid == uid)


def _first(connection: sa.Connection, owner: int, *which: sa.ColumnElement[bool]) -> bytes | None:
    found = sa.select(_C.contents).where(*which, _C.configuration.in_((owner, _SHARED)))
    contents = connection.execute(found.order_by(_C.configuration.desc(), _C.name).limit(1)).scalar()
    return None if contents is None else bytes(contents)
