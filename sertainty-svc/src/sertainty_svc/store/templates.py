"""Store the templates of tasks that were saved, byte for byte, whatever configurations there are."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database import advisory_lock
from mft_common.database.statements import Connection, Statement
from sertainty_svc import SERVICE
from sertainty_svc.store.tables import template

_C: Final = template.c
_NAMES: Final = Statement(sa.select(_C.name))
_CONTENTS: Final = Statement(sa.select(_C.contents).where(_C.name == sa.bindparam("name")))


def lock(connection: sa.Connection) -> None:
    """Let transactions that add a template follow one another."""
    advisory_lock(connection, f"{SERVICE} templates")


def names(connection: Connection) -> set[str]:
    """Return the names of the templates that were saved."""
    return {str(name) for (name,) in _NAMES.all(connection, {})}


def contents(connection: Connection, name: str) -> bytes | None:
    """Return a template that was saved; None where there is none of that name."""
    row = _CONTENTS.first(connection, {"name": name})
    return None if row is None else bytes(row[0])


def save(connection: sa.Connection, name: str, document: bytes) -> None:
    """Add a template, or replace the one of that name."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added = insert(template).values(name=name, contents=document)
    connection.execute(added.on_conflict_do_update(index_elements=["name"], set_={"contents": document}))
