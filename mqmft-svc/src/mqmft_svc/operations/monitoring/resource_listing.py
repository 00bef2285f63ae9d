"""Hold what the listings of folders and queues have in common: the place of a monitor, its agent and its children."""

from mft_common.applied_configuration import ConfigurationFollower
from mft_common.database import Database
from mft_common.dispatch import Runner
from mft_common.endpoints.errors import NotFound
from mqmft_svc.domain.agents import Agent
from mqmft_svc.operations.monitoring.children import Child
from mqmft_svc.operations.monitoring.place import Place
from mqmft_svc.schemas.config import Section


class ResourceListing:
    """The base of a Listing that looks from a child process, which is killed once it is silent for `silence` s."""

    remote = True
    tells_changes = False
    complete = False
    root: str | None = None

    def __init__(
        self,
        place: Place,
        database: Database,
        configuration: ConfigurationFollower[Section],
        runner: Runner,
        *,
        silence: float,
    ) -> None:
        self._place = place
        self._database = database
        self._configuration = configuration
        self._child = Child(runner, place.agent, silence)

    def close(self) -> None:
        """Kill the child of a look that is under way."""
        self._child.close()

    def _agent_of(self, section: Section) -> Agent:
        """Return the agent of the monitor in a configuration; NotFound where it declares none of that name."""
        agent = section.agents.get(self._place.agent)
        if agent is None:
            raise NotFound(f"the agent {self._place.agent} is not configured")
        return agent
