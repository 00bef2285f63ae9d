"""Store resource monitors."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mqmft_svc.domain.monitors import Monitor
from mqmft_svc.store.tables import WATCHES, monitor

_C: Final = monitor.c
# Makes a monitor of its document, the account of its creator and its number.
Read = Callable[[Mapping[str, Any], str, int], Monitor]


def insert(connection: sa.Connection, new: Monitor, now: int) -> int | None:
    """Store a new monitor, which is looked at from the commit on; return its number, None where its name is in use."""
    insert_into: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    document = json.dumps(new.document, sort_keys=True)
    row = {"name": new.name, "agent": new.agent, "document": document, "account": new.account, "created_at": now}
    added = insert_into(monitor).values(**row).on_conflict_do_nothing(index_elements=["name", "agent"])
    number = connection.execute(added.returning(_C.number)).scalar()
    if number is not None:
        WATCHES.define(connection, Monitor(**{**vars(new), "number": number}).key, document)
    return number


def fetch(connection: sa.Connection, read: Read, name: str | None = None) -> Sequence[Monitor]:
    """Return the monitors by name and agent, or those of one name."""
    found = sa.select(monitor).order_by(_C.name, _C.agent)
    rows = connection.execute(found if name is None else found.where(_C.name == name))
    return [read(json.loads(row.document), row.account, row.number) for row in rows]


def delete(connection: sa.Connection, gone: Monitor) -> None:
    """Delete a monitor with all that it remembers; nothing that it has found begins a transfer after the commit."""
    WATCHES.remove(connection, gone.key)
    connection.execute(sa.delete(monitor).where(_C.number == gone.number))


def forget(connection: sa.Connection, known: Monitor) -> None:
    """Forget what a monitor has seen."""
    WATCHES.forget(connection, known.key)
