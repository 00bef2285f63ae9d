"""List, stop and start the agents of a hub, in the database of mqmft-svc."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from crossdock import databases
from crossdock.errors import Refused
from crossdock.jobs.printing import moment, table
from mft_common.clock import now_ms
from mqmft_svc import SERVICE
from mqmft_svc.domain.agents import STARTING
from mqmft_svc.schemas.config import declared_agents
from mqmft_svc.store import agents as store
from mqmft_svc.store.tables import APPLIED

_DATABASE: Final = "MQMFT_DATABASE_URL"


@dataclass(frozen=True)
class AgentState:
    """An agent, its state, since when the last probe has ended (milliseconds), and the reason of a bad state."""

    name: str
    type: str
    state: str
    qmgr: str
    root: str
    description: str
    probed_at: int | None
    detail: str


def listing(data: Path, environ: Mapping[str, str]) -> list[AgentState]:
    """Return the agents of the configuration that was applied last, by name; CannotStart where there is no hub."""
    with databases.opened(SERVICE, _DATABASE, data, environ) as database, database.read() as connection:
        _, document, _ = APPLIED.fetch(connection)
        known, now = store.fetch_with_transfers(connection), now_ms()
    found = []
    for one in declared_agents(document):
        _, status = known[one.name]
        probed_at = None if status.finding == STARTING else status.at
        state = status.state(now)
        found.append(
            AgentState(one.name, one.type, state, one.qmgr, one.root, one.description, probed_at, status.detail)
        )
    return found


def stop(data: Path, environ: Mapping[str, str], name: str) -> None:
    """Let no transfer begin from or to an agent until it is started; CannotStart, Refused for one that is unknown."""
    with databases.opened(SERVICE, _DATABASE, data, environ) as database, database.write() as connection:
        if not store.stop(connection, name.upper(), now_ms()):
            raise _unknown(name)


def start(data: Path, environ: Mapping[str, str], name: str) -> None:
    """Let transfers of an agent begin again; CannotStart, Refused for one that is unknown."""
    with databases.opened(SERVICE, _DATABASE, data, environ) as database, database.write() as connection:
        if not store.start(connection, name.upper()):
            raise _unknown(name)


def _unknown(name: str) -> Refused:
    return Refused(f"the configuration that is in force declares no agent {name!r}: `crossdock agent list` shows all")


def as_table(found: Sequence[AgentState]) -> str:
    """Return the table of `agent list`."""
    rows = (
        (one.name, one.type, one.state, one.qmgr, one.root, moment(one.probed_at), one.detail or "-") for one in found
    )
    return table(("NAME", "TYPE", "STATE", "QMGR", "ROOT", "PROBED", "REASON"), rows)


def as_json(found: Sequence[AgentState]) -> list[dict[str, Any]]:
    """Return the objects of `agent list`."""
    return [asdict(one) for one in found]
