"""Store the last finding about each agent, and which agents an operator has stopped."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mqmft_svc.domain.agents import ACTIVE, READY, STARTING, Status
from mqmft_svc.store import managed
from mqmft_svc.store.tables import WATCHES, agent

_C: Final = agent.c


def apply(connection: sa.Connection, definitions: Mapping[str, str], now: int) -> None:
    """Keep a row for each agent of a configuration; one with another definition has no finding yet.

    An agent that is stopped stays so.
    """
    connection.execute(sa.delete(agent).where(_C.name.not_in(list(definitions))))
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = insert(agent)
    values = {name: rows.excluded[name] for name in ("definition", "finding", "at", "detail")}
    changed = _C.definition != rows.excluded.definition
    upsert = rows.on_conflict_do_update(index_elements=["name"], set_=values, where=changed)
    given = [
        {"name": name, "definition": definition, "finding": STARTING, "at": now, "detail": ""}
        for name, definition in sorted(definitions.items())
    ]
    if given:
        connection.execute(upsert, given)


def fetch(connection: sa.Connection) -> dict[str, tuple[str, Status]]:
    """Return the definition of each agent, and what is known of it."""
    rows = connection.execute(sa.select(agent))
    return {
        row.name: (row.definition, Status(row.finding, row.at, row.detail, stopped=row.stopped_at is not None))
        for row in rows
    }


def fetch_with_transfers(connection: sa.Connection) -> dict[str, tuple[str, Status]]:
    """Return the same as `fetch`; an agent that is ready, and from or to which a transfer runs, is active."""
    busy = managed.busy_agents(connection)
    return {
        name: (definition, replace(status, finding=ACTIVE) if name in busy and status.finding == READY else status)
        for name, (definition, status) in fetch(connection).items()
    }


def update(connection: sa.Connection, name: str, definition: str, status: Status) -> bool:
    """Store a finding; False where the agent is gone, or has another definition by now."""
    mine = sa.update(agent).where(_C.name == name, _C.definition == definition)
    found = {"finding": status.finding, "at": status.at, "detail": status.detail}
    return connection.execute(mine.values(**found)).rowcount == 1


def stop(connection: sa.Connection, name: str, now: int) -> bool:
    """Stop an agent; one that is stopped keeps its time. False where there is no such agent."""
    return _set(connection, name, sa.func.coalesce(_C.stopped_at, now))


def start(connection: sa.Connection, name: str) -> bool:
    """Start an agent that was stopped; False where there is no such agent."""
    return _set(connection, name, None)


def stopped(connection: sa.Connection) -> set[str]:
    """Return the agents that are stopped."""
    return set(connection.execute(sa.select(_C.name).where(_C.stopped_at.is_not(None))).scalars())


def _set(connection: sa.Connection, name: str, stopped_at: Any) -> bool:
    # The monitors of an agent that is stopped look at nothing.
    WATCHES.reread(connection)
    return connection.execute(sa.update(agent).where(_C.name == name).values(stopped_at=stopped_at)).rowcount == 1
