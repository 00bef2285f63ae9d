"""List the folder of a monitor in a child of the worker, which is killed where the far side is silent."""

from collections.abc import Iterator
from typing import Final

from mft_common.watching import Found
from mft_common.watching.listings import unmodified
from mqmft_svc.operations.monitoring.child import LIST
from mqmft_svc.operations.monitoring.resource_listing import ResourceListing

# The listings of monitors belong to no transfer.
_NO_TOKEN: Final = "0" * 16


class ChildListing(ResourceListing):
    """The files of a monitor's folder that match; see Listing."""

    # The times of the folders at the last listing, and the definition of the agent whose they are.
    _times: list[tuple[str, int]] | None = None
    _definition = ""

    def unchanged(self) -> bool:
        """Return whether the folders of a root on this machine have the modification times of the last listing."""
        agent = self._configuration.current.agents.get(self._place.agent)
        same = agent is not None and agent.definition == self._definition
        return same and self._times is not None and unmodified(self._times)

    def files(self, *, depth: int | None) -> Iterator[Found]:
        """Yield the files once the child has listed them all; TransferError."""
        self._times, self.complete = None, False
        with self._database.read() as connection:
            section = self._configuration.refresh(connection)
        agent = self._agent_of(section)
        self.tells_changes = agent.target.scheme == "file"
        order = {
            "transfer_id": _NO_TOKEN,
            "token": _NO_TOKEN,
            "source": agent.root,
            "destination": agent.root,
            "endpoints": section.endpoints.only(agent.root).to_json(),
            "patience_s": self._child.silence,
        }
        place = self._place
        patterns = {"include": place.include, "exclude": place.exclude, "match": place.match}
        rows, result = self._child.run(LIST, {"order": order, "resource": place.resource, "depth": depth, **patterns})
        self.complete, self.root = result["complete"], result["root"]
        if result["times"] is not None:
            self._times, self._definition = [(path, at) for path, at in result["times"]], agent.definition
        for path, identity, size, modified_at in rows:
            yield Found(path, identity, size, modified_at)
