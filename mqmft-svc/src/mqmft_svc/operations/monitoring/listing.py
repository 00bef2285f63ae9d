"""List the folder of a monitor in a child of the worker, which is killed where the far side is silent."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from mft_common.applied_configuration import ConfigurationFollower
from mft_common.database import Database
from mft_common.dispatch import Runner
from mft_common.endpoints.errors import NotFound, Transient
from mft_common.process.runner import Handle, Json, PoolFull
from mft_common.watching import Found
from mft_common.watching.listings import unmodified
from mqmft_svc.domain.monitors import Monitor
from mqmft_svc.operations.monitoring.child import LIST, PAGE
from mqmft_svc.schemas.config import Section

SILENCE_S: Final = 30.0
_LOOK_S: Final = 0.5
# The listings of monitors belong to no transfer.
_NO_TOKEN: Final = "0" * 16


@dataclass(frozen=True)
class Place:
    """The folder of one monitor, and which of its names match. As text it is what a scan knows its folder by."""

    key: str
    agent: str
    resource: str
    include: str
    exclude: str
    match: str

    @classmethod
    def of(cls, monitor: Monitor) -> Self:
        """Return the place of a monitor of a directory."""
        condition = monitor.condition
        return cls(monitor.key, monitor.agent, monitor.resource, condition.include, condition.exclude, condition.match)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the place of what `to_text` gave."""
        return cls(**json.loads(text))

    def to_text(self) -> str:
        """Return the place as text."""
        return json.dumps(asdict(self), sort_keys=True)


class ChildListing:
    """The files of a monitor's folder that match; see Listing. A child that sends nothing for `silence` s is killed."""

    remote = True

    def __init__(
        self,
        place: Place,
        database: Database,
        configuration: ConfigurationFollower[Section],
        runner: Runner,
        *,
        silence: float = SILENCE_S,
    ) -> None:
        self.complete = False
        self.root: str | None = None
        self._place = place
        self._database = database
        self._configuration = configuration
        self._runner = runner
        self._silence = silence
        self.tells_changes = False
        self._times: list[tuple[str, int]] | None = None
        # The definition of the agent at the last listing, whose times these are.
        self._definition = ""
        self._handle: Handle | None = None
        self._closed = False

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
        agent = section.agents.get(self._place.agent)
        if agent is None:
            raise NotFound(f"the agent {self._place.agent} is not configured")
        self.tells_changes = agent.target.scheme == "file"
        order = {
            "transfer_id": _NO_TOKEN,
            "token": _NO_TOKEN,
            "source": agent.root,
            "destination": agent.root,
            "endpoints": section.endpoints.only(agent.root).to_json(),
            "patience_s": self._silence,
        }
        place = self._place
        patterns = {"include": place.include, "exclude": place.exclude, "match": place.match}
        rows, result = self._run({"order": order, "resource": place.resource, "depth": depth, **patterns})
        if result["problem"]:
            raise Transient(result["problem"])
        self.complete, self.root = result["complete"], result["root"]
        if result["times"] is not None:
            self._times, self._definition = [(path, at) for path, at in result["times"]], agent.definition
        for path, identity, size, modified_at in rows:
            yield Found(path, identity, size, modified_at)

    def close(self) -> None:
        """Kill the child of a listing that is under way."""
        self._closed = True
        if (handle := self._handle) is not None:
            handle.kill()

    def _run(self, payload: Mapping[str, Any]) -> tuple[list[list[Any]], Mapping[str, Any]]:
        rows: list[list[Any]] = []
        heard = time.monotonic()

        def hear(kind: str, data: Json) -> None:
            nonlocal heard
            heard = time.monotonic()
            if kind == PAGE:
                rows.extend(data)

        try:
            handle = self._handle = self._runner.run(LIST, payload, hear)
        except PoolFull as error:
            raise Transient(str(error)) from error
        try:
            while (end := handle.wait(_LOOK_S)) is None:
                if self._closed:
                    handle.kill()
                    raise Transient(f"the look at the agent {self._place.agent} was ended")
                if time.monotonic() - heard > self._silence:
                    handle.kill()
                    raise Transient(f"the agent {self._place.agent} did not answer within {self._silence:g} s")
        finally:
            self._handle = None
        if not end.completed:
            raise Transient(f"the listing of the agent {self._place.agent} {end.reason}")
        result: Mapping[str, Any] = end.result
        return rows, result
