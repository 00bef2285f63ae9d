"""Run one managed transfer in a child, and end it or let it wait by how the child ended."""

from typing import Final

from mft_common import logs
from mft_common.database.leases import Lease
from mft_common.dispatch import ChildProcess, Runner
from mft_common.process.runner import CHECKPOINT, MAY_COMMIT, PROGRESS, End, Json
from mqmft_svc.operations.managed.called import CalledTransfer
from mqmft_svc.operations.managed.reports import BEGAN_FILE, DELIVERED, ENDED_FILE, FILES, FOUND, HELD

# The end of a transfer that the end of its worker interrupts: the next worker goes on with it.
INTERRUPTED: Final = "interrupted"
_TOO_LARGE: Final = "The names in the request have more bytes than a process takes."


class TransferProcess(ChildProcess):
    """One try of a transfer, of the worker of `lease`."""

    def __init__(self, runner: Runner, owned: CalledTransfer, target: str, payload: Json, lease: Lease) -> None:
        super().__init__(runner, target, payload)
        self._owned = owned
        self._lease = lease

    def _on_message(self, kind: str, data: Json) -> Json:
        """Write a report or answer a question."""
        owned = self._owned
        if kind == MAY_COMMIT:
            return not self._asked and owned.may_commit(self._lease, data["position"], data["checkpoint"])
        if kind == HELD:
            return owned.require(self._lease)
        if kind == FILES:
            return owned.known(data["after"])
        self._write(kind, data)
        return None

    def _write(self, kind: str, data: Json) -> None:
        """Write a report."""
        owned = self._owned
        if kind == PROGRESS:
            owned.progress(data["position"], data["bytes_done"])
        elif kind == CHECKPOINT:
            owned.checkpoint(data["position"], data["checkpoint"])
        elif kind == FOUND:
            owned.found(data)
        elif kind == BEGAN_FILE:
            values = {name: value for name, value in data.items() if name != "position"}
            owned.change(data["position"], {**values, "state": "moving"})
        elif kind == DELIVERED:
            owned.put(data)
        elif kind == ENDED_FILE:
            owned.note(data)

    def _ended(self, end: End) -> None:
        """Write the end of the transfer or of this try of it."""
        # Read once: the end of the worker may ask at any moment.
        owned, asked = self._owned, self._asked
        if end.completed and not end.result["stopped"]:
            if reason := end.result["recover"]:
                owned.recover(reason)
            else:
                owned.moved(left=end.result["left"])
        elif asked == INTERRUPTED:
            # It may be killed before it has stopped; what it has left is gone on with.
            owned.hand_back()
        elif asked:
            owned.end(asked, left=not end.completed or end.result["left"])
        elif end.error:
            owned.end("failed", f"An internal error ended the transfer ({end.error}).", left=True)
        else:
            owned.recover(f"the process of the transfer {end.reason}")

    def _no_process(self, error: Exception) -> None:
        self._owned.recover(f"no process could be started ({type(error).__name__})")

    def _too_large(self, _error: Exception) -> None:
        # A child began with what it was given by a former configuration, if any.
        self._owned.end("failed", _TOO_LARGE, left=self._owned.counts.files > 0)

    def _log_lost(self) -> None:
        logs.get("managed").warning("transfer.lost", transfer=self._owned.transfer.id)
