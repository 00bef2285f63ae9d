"""Run one execution in a child, and end it or let it go on later by how the child ended."""

import base64
from typing import Final

from mft_common import logs
from mft_common.database.leases import Lease
from mft_common.dispatch import ChildProcess, Runner
from mft_common.process.runner import MAY_COMMIT, PROGRESS, Json
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


class ExecutionProcess(ChildProcess):
    """One try of an execution, of the worker of `lease`."""

    def __init__(self, runner: Runner, owned: OwnedExecution, target: str, payload: Json, lease: Lease) -> None:
        super().__init__(runner, target, payload)
        self._owned = owned
        self._lease = lease

    def _on_message(self, kind: str, data: Json) -> Json:
        """Write a report or answer a question."""
        owned = self._owned
        if kind == MAY_COMMIT:
            return not self._asked and owned.may_commit(self._lease, data)
        if kind == MAY_GO_ON:
            return not self._asked and owned.may_go_on(self._lease)
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
        asked = self._asked
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

    def _no_process(self, error: Exception) -> None:
        self._owned.hand_back(_NO_PROCESS_MS)
        logs.get("executing").warning("execution.no_process", error=type(error).__name__)

    def _too_large(self, _error: Exception) -> None:
        self._owned.end(End(error=_TOO_LARGE, fault=True, left=True))

    def _log_lost(self) -> None:
        logs.get("executing").warning("execution.lost", execution=self._owned.execution.id)
