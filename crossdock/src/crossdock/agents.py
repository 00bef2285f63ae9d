"""List the agents of a hub, with what its worker has found about each, from the database of mqmft-svc."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from crossdock import databases
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


def as_table(found: Sequence[AgentState]) -> str:
    """Return the table of `agent list`."""
    rows = (
        (one.name, one.type, one.state, one.qmgr, one.root, moment(one.probed_at), one.detail or "-") for one in found
    )
    return table(("NAME", "TYPE", "STATE", "QMGR", "ROOT", "PROBED", "REASON"), rows)


def as_json(found: Sequence[AgentState]) -> list[dict[str, Any]]:
    """Return the objects of `agent list`."""
    return [asdict(one) for one in found]
