"""Answer the requests for resource monitors (1.L)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.callers import Caller
from mqmft_svc.domain.monitors import GROUPS, STARTED, STOPPED, Monitor
from mqmft_svc.domain.variables import names_in
from mqmft_svc.errors import (
    BodyInvalid,
    MonitorAmbiguous,
    MonitorDeclared,
    MonitorExists,
    NoSuchAgent,
    NoSuchMonitor,
    TooManyMonitors,
)
from mqmft_svc.operations.accepting import no_such_agent, require_allowed
from mqmft_svc.operations.availability import Availability
from mqmft_svc.operations.calls.checking import check_hosts
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.schemas.monitor_bodies import monitor_of, read_monitor
from mqmft_svc.schemas.monitor_documents import default_document, whole_document
from mqmft_svc.schemas.monitor_queries import MonitorQuery, Place
from mqmft_svc.store import agents as agent_store
from mqmft_svc.store import deliveries
from mqmft_svc.store import monitors as store

# How long it is known which transfer wrote a file that no monitor has seen.
_KEPT_MS: Final = 7 * 86_400_000
_PURGE_AT_ONCE: Final = 500
Agents = Mapping[str, Agent]


class Monitors:
    """The monitor resource, with `most` monitors; `agents` reads those of the configuration that was applied last."""

    def __init__(
        self,
        database: Database,
        availability: Availability,
        agents: Callable[[sa.Connection], Agents],
        now: Clock,
        call_hosts: Sequence[str] = (),
        *,
        most: int,
    ) -> None:
        self._call_hosts = call_hosts
        self._most = most
        self._database = database
        self._availability = availability
        self._agents = agents
        self._now = now
        self._log = logs.get("monitors")

    def list_monitors(self, query: MonitorQuery) -> list[dict[str, Any]]:
        """Return the monitors that match, by name (185)."""
        self._availability.require()
        found, running = self._fetch(None)
        return [
            _document(monitor, state, query.selection)
            for monitor in found
            if query.matches(monitor, state := _state(monitor, running))
        ]

    def get_monitor(self, name: str, selection: Selection) -> list[dict[str, Any]]:
        """Return the monitors of a name, which is in upper case, one for each agent that has one; NoSuchMonitor."""
        self._availability.require()
        found, running = self._fetch(name)
        if not found:
            raise NoSuchMonitor(name=name, where="")
        return [_document(monitor, _state(monitor, running), selection) for monitor in found]

    def create(self, body: Mapping[str, Any], caller: Caller) -> Monitor:
        """Create the monitor that a body asks for; NoSuchAgent, MonitorExists, BodyInvalid (186, 188).

        Its agent must exist and take requests of the caller (AgentNotAuthorized). The agents of its transfers must
        exist where no variable names them; the calls of these go to hosts that calls may reach. TooManyMonitors where
        there are as many as requests may create.
        """
        monitor, example = read_monitor(body, caller.user)
        calls = {f"transferDefinition.transferSet.{name}": call for name, call in example.calls.items()}
        check_hosts(self._call_hosts, calls)
        self._availability.require()
        with self._database.write() as connection:
            agents = self._agents(connection)
            if monitor.agent not in agents:
                raise NoSuchAgent(name=monitor.agent, where="")
            require_allowed(agents[monitor.agent], caller.user)
            if monitor.condition.type == GROUPS and (reason := agents[monitor.agent].no_groups):
                raise BodyInvalid(name="triggerCondition.type", reason=f"{reason}.")
            for side, asked in (("sourceAgent", example.source_agent), ("destinationAgent", example.destination_agent)):
                agent = agents.get(asked.name)
                if not names_in(monitor.definition[side]) and (agent is None or agent.qmgr.upper() != asked.qmgr):
                    raise no_such_agent(asked)
            if store.count(connection) >= self._most:
                raise TooManyMonitors(most=self._most)
            if store.insert(connection, monitor, self._now()) is None:
                raise MonitorExists(name=monitor.name, agent=monitor.agent)
        self._log.info("monitor.created", monitor=monitor.name, agent=monitor.agent, user=caller.user)
        return monitor

    def delete(self, name: str, place: Place, caller: Caller | None = None) -> None:
        """Delete a monitor: after this returns it begins no transfer (189).

        NoSuchMonitor, MonitorAmbiguous, MonitorDeclared for one of the configuration, which would create it again. A
        caller changes monitors of others only where their agent takes the caller's requests (AgentNotAuthorized);
        without one it is the operator of the hub, who changes any.
        """
        self._change(name, place, caller, _delete, "monitor.deleted")

    def delete_history(self, name: str, place: Place, caller: Caller | None = None) -> None:
        """Forget what a monitor has seen: what meets its condition triggers again; errors and callers as in `delete`.

        Monitors of the configuration can forget as well.
        """
        self._change(name, place, caller, store.forget, "monitor.history_deleted")

    def purge(self) -> int:
        """Delete some of the old notes about which transfer wrote a file; return how many."""
        with self._database.write() as connection:
            return deliveries.DELIVERIES.purge(connection, self._now() - _KEPT_MS, _PURGE_AT_ONCE)

    def _change(
        self,
        name: str,
        place: Place,
        caller: Caller | None,
        change: Callable[[sa.Connection, Monitor], None],
        event: str,
    ) -> None:
        self._availability.require()
        with self._database.write() as connection:
            agents = self._agents(connection)
            monitor = _one(store.fetch(connection, monitor_of, name), agents, name, place)
            if caller is not None and caller.user != monitor.account:
                require_allowed(agents.get(monitor.agent), caller.user)
            change(connection, monitor)
        self._log.info(event, monitor=monitor.name, agent=monitor.agent)

    def _fetch(self, name: str | None) -> tuple[Sequence[Monitor], set[str]]:
        """Return the monitors, or those of one name, and the agents that are not stopped."""
        with self._database.read() as connection:
            running = self._agents(connection).keys() - agent_store.stopped(connection)
            return store.fetch(connection, monitor_of, name), running


def _delete(connection: sa.Connection, monitor: Monitor) -> None:
    if store.is_configured(connection, monitor):
        raise MonitorDeclared(name=monitor.name, agent=monitor.agent)
    store.delete(connection, monitor)


def _one(found: Sequence[Monitor], agents: Agents, name: str, place: Place) -> Monitor:
    """Return the one monitor that is meant."""

    def is_meant(monitor: Monitor) -> bool:
        agent = agents.get(monitor.agent)
        qmgr = None if agent is None else agent.qmgr.upper()
        return place.agent in (None, monitor.agent) and place.qmgr in (None, qmgr)

    meant = [monitor for monitor in found if is_meant(monitor)]
    if not meant:
        words = [word for word in (place.agent, place.qmgr) if word is not None]
        raise NoSuchMonitor(name=name, where=f" of {' of '.join(words)}" if words else "")
    if len(meant) > 1:
        raise MonitorAmbiguous(name=name, agents=", ".join(monitor.agent for monitor in meant))
    return meant[0]


def _state(monitor: Monitor, running: set[str]) -> str:
    """Return the state: a monitor of an agent that is stopped, or not configured any more, looks at nothing."""
    return STARTED if monitor.agent in running else STOPPED


def _document(monitor: Monitor, state: str, selection: Selection) -> dict[str, Any]:
    default = default_document(monitor, state)
    if not selection.paths and not selection.everything:
        return default
    return selection.extend(default, whole_document(monitor, state))
