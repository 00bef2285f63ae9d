"""The agent and its machine: its state, its heartbeat, and the functions that steer it (section 3)."""

from mft_common import VERSION
from sertainty_svc.domain.agent import APPLICATION, AgentStatus, config_status
from sertainty_svc.errors import AgentOffline
from sertainty_svc.operations.calls import Call, Family, succeeded, unsupported
from sertainty_svc.operations.context import Context
from sertainty_svc.store import agent as store
from sertainty_svc.wire import Reply


class Agent:
    """The functions of the agent, over its row in the database."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._now = context.now

    @property
    def functions(self) -> Family:
        """The functions of the agent and its machine."""
        later = ("agentAlter", "agentGetLog", "agentRestart", "agentShutdown", "agentStart", "hostGetMachine")
        return {"agentPing": self.agent_ping, "agentGetStatus": self.agent_get_status, **unsupported(*later)}

    def agent_ping(self, _call: Call) -> Reply:
        """Succeed while the agent is online; AgentOffline otherwise (34)."""
        if self._status() is AgentStatus.OFFLINE:
            raise AgentOffline
        return succeeded()

    def agent_get_status(self, _call: Call) -> Reply:
        """Return the agent's state, the application, and the active configuration: always six results (33)."""
        status = self._status()
        return succeeded(status, APPLICATION, VERSION, "", config_status(status, active=False), "Normal")

    def beat(self) -> None:
        """Store the heartbeat of this worker."""
        with self._database.write() as connection:
            store.beat(connection, self._now())

    def _status(self) -> AgentStatus:
        with self._database.read() as connection:
            return store.find(connection).status(self._now())
