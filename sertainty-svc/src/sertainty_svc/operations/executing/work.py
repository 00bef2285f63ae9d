"""Tell a dispatcher about executions of tasks: which to take, how to run and to stop them (71, 73, 80, 82)."""

import threading
import weakref
from collections.abc import Collection, Mapping
from typing import Final

import sqlalchemy as sa

from mft_common.applied_configuration import ConfigurationFollower
from mft_common.database.leases import Lease
from mft_common.dispatch import Begin, Limits, Runner, StopRequest
from mft_common.process.background_tasks import BackgroundTask, periodic_task
from sertainty_svc.domain.agent import AgentStatus
from sertainty_svc.domain.executions import Execution
from sertainty_svc.domain.stored_tasks import may_run
from sertainty_svc.domain.tasks import TaskType
from sertainty_svc.operations.executing.ending import End
from sertainty_svc.operations.executing.orders import Missing, Orders
from sertainty_svc.operations.executing.owned import OwnedExecution, Parts
from sertainty_svc.operations.executing.process import INTERRUPTED, ExecutionProcess
from sertainty_svc.operations.executing.recovery import recover_lost
from sertainty_svc.operations.running.order import Order
from sertainty_svc.schemas.configuration import Section
from sertainty_svc.store import agent as agents
from sertainty_svc.store import execution_files, executions, tasks
from sertainty_svc.store.tables import WORKERS

RUN: Final = "sertainty_svc.operations.running.child:run"
_LEASE_S: Final = 10.0
_TELL_EVERY_S: Final = 0.5


class ExecutionWork:
    """The executions of tasks, as the work of a dispatcher; `runner` runs them in the function `target`.

    One of a task runs at a time, on however many workers. `lease` is that of the workers, in seconds.
    """

    interrupted = INTERRUPTED

    def __init__(
        self,
        parts: Parts,
        configuration: ConfigurationFollower[Section],
        runner: Runner,
        orders: Orders,
        *,
        target: str = RUN,
        lease: float = _LEASE_S,
    ) -> None:
        self.limits = Limits(1, lease, 0.0)
        self._parts = parts
        self._database = parts.database
        self._ending = parts.ending
        self._configuration = configuration
        self._runner = runner
        self._orders = orders
        self._target = target
        self._lease_s = lease
        # Those that this worker carries out, and the lock to look at them; one that is over is gone with its process.
        self._owned: weakref.WeakSet[OwnedExecution] = weakref.WeakSet()
        self._lock = threading.Lock()

    def refresh(self, connection: sa.Connection) -> Limits:
        """Return the limits of the section; no end is waited for: the next worker goes on with what is interrupted."""
        self.limits = Limits(self._configuration.refresh(connection).executions, self._lease_s, 0.0)
        return self.limits

    def recover(self, *, exclusive: bool = False, owner: str = "", running: Collection[int] = ()) -> int:
        """Queue the executions that no worker runs any more; return how many."""
        return WORKERS.take_over(
            self._database, executions.owners, lambda id_, by: recover_lost(self._database, id_, by),
            exclusive=exclusive, owner=owner, running=running,
        )  # fmt: skip

    def prepare(self) -> None:
        """Do nothing: what dead workers have left is gone on with."""

    def is_waiting(self) -> bool:
        """Return whether an execution waits."""
        return self._database.query(lambda each: executions.any_due(each, self._ending.now()))

    def take(self, lease: Lease, begin: Begin[int]) -> bool:
        """Take the first execution that may run, and begin it; False where there is none.

        One that may not run is withdrawn or ended, and counts as a piece: each transaction locks one task alone.
        """
        with self._database.write() as connection:
            executions.lock_queue(connection)
            if not WORKERS.is_alive(connection, lease):
                # This worker was frozen since it renewed its lease; it ends with the next try to do so.
                return False
            section = self._configuration.refresh(connection)
            one = self._first(connection)
            if one is None:
                return False
            taken = self._take(connection, one, section, lease)
        if taken is None:
            return True
        execution, order = taken
        owned = OwnedExecution(self._parts, execution)
        with self._lock:
            self._owned.add(owned)
        process = ExecutionProcess(self._runner, owned, self._target, order.to_json(), lease)
        begin(execution.id, execution.request_id, process)
        return True

    def _first(self, connection: sa.Connection) -> Execution | None:
        """Return the first execution that waits for nothing but a worker."""
        agent = agents.find(connection)
        for one in executions.due(connection, self._ending.now()):
            # The agent is about to be started; whether a worker is alive does not matter: this one is.
            if one.attempts or not agent.running or agent.status(agent.beat_at) is not AgentStatus.OFFLINE:
                return one
        return None

    def _take(
        self, connection: sa.Connection, one: Execution, section: Section, lease: Lease
    ) -> tuple[Execution, Order] | None:
        """Make this worker the owner of an execution, and return it with its order; None where it did not begin."""
        tasks.lock(connection, one.task_id)
        if not self._begins(connection, one):
            return None
        epoch = agents.find(connection).epoch
        taken = executions.take(connection, one.id, lease.owner, epoch, self._ending.now())
        if taken is None:
            return None
        if taken.attempts == 1:
            self._ending.begin(connection, taken)
        first = execution_files.find(connection, taken.id, 0)
        # Of an execution that an older version has begun only its files say whether all were found.
        has_files = taken.has_files or (first is not None and first.state != "waiting")
        try:
            order = self._orders.order(connection, section, taken, has_files=has_files, confirm_s=lease.ttl / 3)
        except Missing as error:
            self._ending.end(connection, taken, End(error=str(error), fault=True, left=taken.attempts > 1))
            return None
        return taken, order

    def _begins(self, connection: sa.Connection, one: Execution) -> bool:
        """Return whether an execution may begin or go on; one that may not is ended, or withdrawn with its files.

        One that has not begun does nothing by a former definition of its task (76).
        """
        agent, task = agents.find(connection), tasks.by_id(connection, one.task_id)
        stop, wished = one.stop_text(agent.epoch, agent.reason), agent.status(agent.beat_at)
        if not stop and task is not None and may_run(task, wished, active=agent.active == task.configuration_id):
            if one.attempts or task.definition == one.definition:
                return True
            if not one.has_files and task.definition.type is TaskType.TIME:
                # The run of a Time task takes place, as the task is now.
                executions.redefine(connection, one.id, task)
                return True
        if one.attempts == 0:
            self._ending.withdraw(connection, one)
            return False
        files = execution_files.each(connection, one.id, not_over=True)
        if not stop and any(file.under_way for file in files):
            # Only the file under way comes to its end.
            return True
        self._ending.end(connection, one, End(error=stop, left=True))
        return False

    def telling(self) -> BackgroundTask:
        """Return the task that tells how the executions go whose children have nothing to report."""

        def tell() -> None:
            with self._lock:
                running = tuple(self._owned)
            for owned in running:
                owned.tell()

        return periodic_task("progress", tell, every=_TELL_EVERY_S)

    def stop_requests(self, owner: str) -> Mapping[int, StopRequest]:
        """Return the running executions of a worker that are to end at once, with the texts of their ends (73)."""
        with self._database.read() as connection:
            running = executions.of_owner(connection, owner)
            agent = agents.find(connection)
        texts = {one.id: one.stop_text(agent.epoch, agent.reason) for one in running}
        return {id_: StopRequest(text) for id_, text in texts.items() if text}
