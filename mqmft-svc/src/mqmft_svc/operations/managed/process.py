"""Run one managed transfer in a child, and end it or let it wait by how the child ended."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mft_common import logs
from mft_common.database.leases import Lease, LeaseLost
from mft_common.dispatch import Child, Runner, until_written
from mft_common.errors import Unavailable
from mft_common.process.runner import CHECKPOINT, MAY_COMMIT, PROGRESS, End, Json, MessageTooLarge, PoolFull
from mqmft_svc.operations.managed.called import CalledTransfer
from mqmft_svc.operations.managed.reports import BEGAN_FILE, DELIVERED, ENDED_FILE, FILES, FOUND, HELD

# The end of a transfer that the end of its worker interrupts: the next worker goes on with it.
INTERRUPTED: Final = "interrupted"
_TOO_LARGE: Final = "The names in the request have more bytes than a process takes."


class TransferProcess:
    """One try of a transfer; `run` blocks until the transfer is over, waits, or is no longer this worker's.

    `target` is the function of the child and `payload` what it gets; `lease` is that of the worker.
    """

    def __init__(
        self, runner: Runner, owned: CalledTransfer, target: str, payload: Mapping[str, Any], lease: Lease
    ) -> None:
        self._child = Child(runner)
        self._owned = owned
        self._target = target
        self._payload = dict(payload)
        self._lease = lease

    def stop(self, end: str) -> None:
        """Ask the child to stop between two blocks; the transfer ends as `end`, or waits for the next worker."""
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
            reason = f"no process could be started ({type(error).__name__})"
            return self._settle(lambda: self._owned.recover(reason))
        except MessageTooLarge:
            # No later try would do better. A child began with what it was given by a former configuration, if any.
            return self._settle(lambda: self._owned.end("failed", _TOO_LARGE, left=self._owned.counts.files > 0))
        if isinstance(end.refusal, LeaseLost):
            return None
        return self._settle(lambda: self._ended(end))

    def _settle(self, write: Callable[[], None]) -> None:
        try:
            until_written(write)
        except LeaseLost:
            logs.get("managed").warning("transfer.lost", transfer=self._owned.transfer.id)

    def _on_message(self, kind: str, data: Json) -> Json:
        """Write a report or answer a question."""
        owned = self._owned
        if kind == MAY_COMMIT:
            return not self._child.asked and owned.may_commit(self._lease, data["position"], data["checkpoint"])
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
        owned = self._owned
        if end.completed and not end.result["stopped"]:
            if reason := end.result["recover"]:
                owned.recover(reason)
            else:
                owned.moved(left=end.result["left"])
        elif self._child.asked == INTERRUPTED:
            # It may be killed before it has stopped; what it has left is gone on with.
            owned.hand_back()
        elif self._child.asked:
            owned.end(self._child.asked, left=not end.completed or end.result["left"])
        elif end.error:
            owned.end("failed", f"An internal error ended the transfer ({end.error}).", left=True)
        else:
            owned.recover(f"the process of the transfer {end.reason}")
