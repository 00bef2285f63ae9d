"""Run one execution in a child, and end it or let it go on later by how the child ended."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from mft_common import logs
from mft_common.database.leases import Lease, LeaseLost
from mft_common.dispatch import Child, Runner, until_written
from mft_common.errors import Unavailable
from mft_common.process.runner import MAY_COMMIT, PROGRESS, Json, MessageTooLarge, PoolFull
from mft_common.process.runner import End as ChildEnd
from sertainty_svc.operations.executing.ending import End
from sertainty_svc.operations.executing.owned import OwnedExecution
from sertainty_svc.operations.running import messages
from sertainty_svc.operations.running.messages import CHANGED, FILES, FIND_IDS, FOUND, HELD, LOG, MAY_GO_ON
from sertainty_svc.operations.running.order import Result
from sertainty_svc.store import objects, unproved_commits

# The end of an execution that the end of its worker interrupts: the next worker goes on with it.
INTERRUPTED: Final = "interrupted"
_TOO_LARGE: Final = "The task and its script have more bytes than a process takes."
_NO_PROCESS_MS: Final = 1_000


class ExecutionProcess:
    """One try of an execution; `run` blocks until it is over, waits, or is no longer this worker's.

    `target` is the function of the child and `payload` what it gets; `lease` is that of the worker.
    """

    def __init__(
        self, runner: Runner, owned: OwnedExecution, target: str, payload: Mapping[str, Any], lease: Lease
    ) -> None:
        self._child = Child(runner)
        self._owned = owned
        self._target = target
        self._payload = dict(payload)
        self._lease = lease

    def stop(self, end: str) -> None:
        """Ask the child to stop between two blocks; the execution ends with the text `end`, or waits."""
        self._child.stop(end)

    def kill(self, end: str) -> None:
        """Kill the child; an end that an earlier stop asked for stands."""
        self._child.kill(end)

    def abandon(self, end: str) -> None:
        """Kill the child: the worker itself ends."""
        self._child.kill(end)

    def run(self) -> None:
        """Run the child, and write how it ended, again and again while the database is away."""
        try:
            end = self._child.run(self._target, self._payload, self._on_message)
        except (Unavailable, PoolFull) as error:
            logs.get("executing").warning("execution.no_process", error=type(error).__name__)
            return self._write(lambda: self._owned.hand_back(_NO_PROCESS_MS))
        except MessageTooLarge:
            # No later try would do better.
            return self._write(lambda: self._owned.end(End(error=_TOO_LARGE, fault=True, left=True)))
        if isinstance(end.refusal, LeaseLost):
            return None
        return self._write(lambda: self._ended(end))

    def _write(self, write: Callable[[], None]) -> None:
        try:
            until_written(write)
        except LeaseLost:
            logs.get("executing").warning("execution.lost", execution=self._owned.execution.id)

    def _on_message(self, kind: str, data: Json) -> Json:
        """Write a report or answer a question."""
        owned = self._owned
        if kind == MAY_COMMIT:
            return not self._child.asked and owned.may_commit(self._lease, data)
        if kind == MAY_GO_ON:
            return not self._child.asked and owned.may_go_on(self._lease)
        if kind == FILES:
            return owned.page(data["after"])
        if kind == FIND_IDS:
            owner = owned.execution.configuration_id
            found = owned.read(lambda connection: objects.find_ids(connection, owner, data["uid"]))
            return [base64.b64encode(contents).decode("ascii") for contents in found]
        if kind == messages.FIND_UNPROVED:
            one, folder = owned.execution, owned.execution.definition.folders.destination
            file = owned.read(lambda connection: unproved_commits.find(connection, one.task_id, folder, data["path"]))
            return None if file is None else file.to_json()
        self._report(kind, data)
        return None

    def _report(self, kind: str, data: Json) -> None:
        """Write a report."""
        owned = self._owned
        if kind == PROGRESS:
            owned.progress(data["position"], data["bytes_done"])
        elif kind == CHANGED:
            owned.changed(data)
        elif kind == FOUND:
            owned.found(data)
        elif kind == LOG:
            owned.log(data)
        elif kind == messages.RAN:
            owned.ran(data["runs"], done=data["done"])
        elif kind == HELD:
            owned.require(self._lease)

    def _ended(self, end: ChildEnd) -> None:
        """Write the end of the execution or of this try of it."""
        asked = self._child.asked
        if end.completed:
            self._completed(Result(**end.result), asked)
        elif asked == INTERRUPTED:
            # It may be killed before it has stopped; the next worker goes on from what it has left.
            self._owned.hand_back()
        elif asked:
            self._owned.end(End(error=asked, left=True))
        elif end.error:
            text = f"An internal error ended the execution ({end.error})."
            self._owned.end(End(error=text, fault=True, left=True))
        else:
            self._owned.go_on_later(f"the process of the execution {end.reason}")

    def _completed(self, result: Result, asked: str) -> None:
        if result.fault and self._owned.is_under_way():
            # A file may be there whose commit was not recorded: once this has ended it would be an existing target.
            self._owned.go_on_later(result.fault)
        elif not result.stopped:
            self._owned.end(End(error=result.fault, fault=bool(result.fault), left=result.left))
        elif asked == INTERRUPTED:
            self._owned.hand_back()
        else:
            # A request may have refused a commit before the child was asked to stop; without one the end is soft.
            self._owned.end(End(error=asked or self._owned.stop_text(), left=result.left))
