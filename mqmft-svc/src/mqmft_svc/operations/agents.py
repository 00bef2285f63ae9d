"""Answer the requests for agents: what the configuration says of them, and what the last probe found."""

from collections.abc import Mapping
from typing import Any

from mft_common.clock import Clock
from mft_common.database import Database
from mqmft_svc.domain.agents import STARTING, Agent, Status
from mqmft_svc.errors import NoSuchAgent
from mqmft_svc.operations.availability import Availability
from mqmft_svc.schemas.agent_documents import default_document, whole_document
from mqmft_svc.schemas.agent_queries import AgentQuery
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.store import agents as store


class Agents:
    """The agent resource."""

    def __init__(self, database: Database, availability: Availability, agents: Mapping[str, Agent], now: Clock) -> None:
        self._database = database
        self._availability = availability
        self._agents = agents
        self._now = now

    def list_agents(self, query: AgentQuery) -> list[dict[str, Any]]:
        """Return the agents that match, by name (181-183)."""
        self._availability.require()
        now, known = self._now(), self._known()
        shown = []
        for _, agent in sorted(self._agents.items()):
            status = self._status(agent, known, now)
            if query.matches(agent, status.state(now)):
                shown.append(_document(agent, status, query.selection, now))
        return shown

    def get_agent(self, name: str, selection: Selection) -> list[dict[str, Any]]:
        """Return one agent as a list of one; NoSuchAgent. `name` is in upper case."""
        self._availability.require()
        # The database is asked first: one that is away is 503, whatever the name (22).
        now, known = self._now(), self._known()
        agent = self._agents.get(name)
        if agent is None:
            raise NoSuchAgent(name=name, where="")
        return [_document(agent, self._status(agent, known, now), selection, now)]

    def _known(self) -> dict[str, tuple[str, Status]]:
        with self._database.read() as connection:
            return store.fetch_with_transfers(connection)

    @staticmethod
    def _status(agent: Agent, known: Mapping[str, tuple[str, Status]], now: int) -> Status:
        """Return what is known of an agent; a finding of another definition is none."""
        definition, status = known.get(agent.name, ("", Status(STARTING, now)))
        return status if definition == agent.definition else Status(STARTING, now, stopped=status.stopped)


def _document(agent: Agent, status: Status, selection: Selection, now: int) -> dict[str, Any]:
    default = default_document(agent, status, now)
    if not selection.paths and not selection.everything:
        return default
    return selection.extend(default, whole_document(agent, status, now))
