"""The agent as callers see it: its state, and the functions that steer it (sections 3 and 5)."""

import time
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from mft_common import VERSION
from mft_common.database.statements import Connection
from sertainty_svc.domain.agent import APPLICATION, AgentStatus, config_status
from sertainty_svc.domain.agent import Agent as State
from sertainty_svc.errors import AgentOffline, GeneralError
from sertainty_svc.operations import agenda
from sertainty_svc.operations.calls import Call, Family, succeeded
from sertainty_svc.operations.context import Context
from sertainty_svc.store import agent as store
from sertainty_svc.store import tasks
from sertainty_svc.wire import Reply

_LOOK_EVERY_S: Final = 0.05
# The longest time that a caller waits for a worker (37, 70, 72).
_ANSWER_WITHIN_S: Final = 5.0
_NO_WORKER: Final = "No worker has taken up the start of the agent in time; the agent starts as soon as one runs."


class Agent:
    """The functions of the agent, over its row in the database; a worker carries the wishes out."""

    def __init__(self, context: Context, *, answer_within: float = _ANSWER_WITHIN_S) -> None:
        self._context = context
        self._database = context.database
        self._now = context.now
        self.answer_within = answer_within

    @property
    def functions(self) -> Family:
        """The functions of the agent."""
        return {
            "agentAlter": self.agent_alter,
            "agentGetStatus": self.agent_get_status,
            "agentPing": self.agent_ping,
            "agentRestart": self.agent_restart,
            "agentShutdown": self.agent_shutdown,
            "agentStart": self.agent_start,
        }

    def agent_ping(self, _call: Call) -> Reply:
        """Succeed while the agent is online; AgentOffline otherwise (34)."""
        if self._find().status(self._now()) is AgentStatus.OFFLINE:
            raise AgentOffline
        return succeeded()

    def agent_get_status(self, _call: Call) -> Reply:
        """Return the agent's state, the application, and the active configuration: always six results (33)."""
        agent, name, errors = self._database.query_cached("agent status", _read_status)
        status = agent.status(self._now())
        shown = config_status(status, active=bool(name))
        return succeeded(status, APPLICATION, VERSION, name, shown, "Errors" if errors else "Normal")

    def agent_alter(self, call: Call) -> Reply:
        """Enable or disable the agent; while it is offline that holds from its next start on (31, 71)."""
        enabled = call.arguments["alter-option"][0].lower() == "enable"
        with self._database.write() as connection:
            if store.lock(connection).enabled is not enabled:
                store.update(connection, enabled=enabled)
                event, text = ("agent.enabled", "enabled") if enabled else ("agent.disabled", "disabled")
                self._context.log(connection, call, event, f"The agent was {text}.")
                agenda.sync(connection, self._now())
        return succeeded()

    def agent_start(self, call: Call) -> Reply:
        """Start the agent where it does not run; GeneralError where no worker takes that up in time (37)."""
        with self._database.write() as connection:
            agent = store.lock(connection)
            wish = 0 if agent.running else self._wish(connection, agent, call, "start", running=True)

        def started(agent: State) -> bool:
            return agent.taken_up >= wish if wish else agent.status(self._now()) is not AgentStatus.OFFLINE

        if not started(self._wait_for(started)):
            raise GeneralError(_NO_WORKER)
        return succeeded()

    def agent_shutdown(self, call: Call) -> Reply:
        """Stop the agent, and wait until it has stopped or the time is up; a success also where it is offline (36)."""
        with self._database.write() as connection:
            agent = store.lock(connection)
            wish = agent.wish
            if agent.running:
                wish = self._wish(connection, agent, call, "shutdown", running=False)
                agenda.sync(connection, self._now())
        # Without a worker nothing runs that could stop.
        self._wait_for(lambda agent: agent.taken_up >= wish or not agent.has_worker(self._now()))
        return succeeded()

    def agent_restart(self, call: Call) -> Reply:
        """Stop and start the agent, Active or Disabled as it was; AgentOffline where it does not run (35, 72)."""
        with self._database.write() as connection:
            agent = store.lock(connection)
            if agent.status(self._now()) is AgentStatus.OFFLINE:
                raise AgentOffline
            wish = self._wish(connection, agent, call, "restart", running=True)
        found = self._wait_for(lambda agent: agent.taken_up >= wish)
        if found.taken_up < wish and found.status(self._now()) is AgentStatus.OFFLINE:
            raise AgentOffline
        return succeeded()

    def _wish(self, connection: sa.Connection, agent: State, call: Call, kind: str, *, running: bool) -> int:
        """Store the wish of a call, with the end of running executions where it has one (73), and return its number."""
        values = {} if kind == "start" else {"epoch": agent.epoch + 1, "reason": f"agent {kind}"}
        user = "" if call.caller is None else call.caller.account.name
        address = call.identity.address or ""
        store.update(connection, wish=agent.wish + 1, running=running, user=user, address=address, **values)
        self._context.log(connection, call, f"agent.{kind}", f"The agent is asked to {_VERBS[kind]}.")
        return agent.wish + 1

    def _find(self) -> State:
        return self._database.query_cached("agent", store.find)

    def _wait_for(self, condition: Callable[[State], bool]) -> State:
        """Return the agent's state once it meets a condition, or when the time is up."""
        until = time.monotonic() + self.answer_within
        while not condition(agent := self._find()) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
        return agent


_VERBS: Final = {"start": "start", "shutdown": "shut down", "restart": "restart"}


def _read_status(connection: Connection) -> tuple[State, str, bool]:
    agent = store.find(connection)
    name = store.active_name(connection, agent)
    return agent, name, agent.active is not None and tasks.has_errors(connection, agent.active)
