"""Tell a sweeper what executions that are over may have left: unfinished files, and sources moved aside."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.clock import Clock
from mft_common.database.sweeps import Claimed
from mft_common.dispatch import RemovalOrder
from mft_common.errors import MftError
from mft_common.process.runner import Json
from sertainty_svc.domain.executions import Execution, ExecutionFile
from sertainty_svc.operations.executing.orders import Orders
from sertainty_svc.schemas.configuration import Section
from sertainty_svc.store import execution_files, executions
from sertainty_svc.store.tables import SWEEPS

SWEEP: Final = "sertainty_svc.operations.running.child:sweep"
_FOR_MS: Final = 86_400_000
_MOST: Final = 1000


class ExecutionRemovals:
    """The leftovers of executions, as the removals of a sweeper; what cannot be removed for a day is given up.

    The child gets an `Order` with `files`, the files as JSON that may have left something, and returns the `problem`
    that prevented the removal, or "". Executions into one folder wait for each other.
    """

    sweeps = SWEEPS

    def __init__(
        self, configuration: ConfigurationFollower[Section], orders: Orders, *, now: Clock, target: str = SWEEP
    ) -> None:
        self.target = target
        self._configuration = configuration
        self._orders = orders
        self._now = now

    def places(self, connection: sa.Connection, keys: Sequence[int]) -> Mapping[int, str]:
        """Return the destination folders of executions."""
        found = [executions.find(connection, key) for key in keys]
        return {one.id: one.definition.folders.destination for one in found if one is not None}

    def order(self, connection: sa.Connection, claimed: Claimed[int]) -> RemovalOrder:
        """Return what the child gets to remove what an execution has left; MftError."""
        one = executions.find(connection, claimed.key)
        if one is None:
            raise MftError("the execution is gone")
        order = self._orders.bare(self._configuration.refresh(connection), one)
        files = [file.to_json() for file in self._left(connection, one)]
        return RemovalOrder({**order.to_json(), "files": files})

    def ended(self, connection: sa.Connection, claimed: Claimed[int], problem: str, result: Json) -> bool:
        """Return whether a removal is done, or was tried for long enough; the files are forgotten then."""
        del result
        one = executions.find(connection, claimed.key)
        if one is None:
            return True
        if problem:
            gives_up = one.ended_at is not None and one.ended_at < self._now() - _FOR_MS
            if not gives_up:
                return False
            logs.get("executing").error("sweep.given_up", execution=one.id, problem=problem)
        else:
            swept = [
                file.changed(temporary="", description="", checkpoint=None) for file in self._left(connection, one)
            ]
            execution_files.put(connection, one.id, swept)
            if any(True for _ in self._left(connection, one)):
                return False
        execution_files.remove(connection, one.id)
        return True

    def _left(self, connection: sa.Connection, one: Execution) -> list[ExecutionFile]:
        left = (file for file in execution_files.each(connection, one.id) if _may_be_left(file))
        return list(islice(left, _MOST))


def _may_be_left(file: ExecutionFile) -> bool:
    """Return whether a file may have left a temporary name, or a source that was moved aside and not deleted yet."""
    return bool(file.temporary or file.description or file.checkpoint)
