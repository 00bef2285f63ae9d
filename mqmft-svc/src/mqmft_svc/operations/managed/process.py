"""Run one managed transfer in a child, and end it or let it wait by how the child ended."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from mft_common import logs
from mft_common.database.leases import Lease, LeaseLost
from mft_common.errors import Unavailable
from mft_common.process.runner import (
    CHECKPOINT,
    MAY_COMMIT,
    PROGRESS,
    End,
    Handle,
    Json,
    MessageTooLarge,
    OnMessage,
    PoolFull,
)
from mqmft_svc.operations.managed.held import HELD
from mqmft_svc.operations.managed.owned import OwnedTransfer
from mqmft_svc.operations.managed.reports import BEGAN_FILE, DELIVERED, ENDED_FILE, FILES, FOUND
from mqmft_svc.operations.managed.transfer_events import outcome

# The end of a transfer that the end of its worker interrupts: the next worker goes on with it.
INTERRUPTED: Final = "interrupted"
_TOO_LARGE: Final = "The names in the request have more bytes than a process takes."
# The time between two tries to write to a database that is away.
_AGAIN_S: Final = 0.5


class Runner(Protocol):
    """The part of a Runner that transfers use."""

    def run(self, target: str, payload: Json, on_message: OnMessage) -> Handle:
        """Run a function in a child."""
        ...


class TransferProcess:
    """One try of a transfer; `run` blocks until the transfer is over, waits, or is no longer this worker's.

    `target` is the function of the child and `payload` what it gets; `lease` is that of the worker.
    """

    def __init__(
        self, runner: Runner, owned: OwnedTransfer, target: str, payload: Mapping[str, Any], lease: Lease
    ) -> None:
        self._runner = runner
        self._owned = owned
        self._target = target
        self._payload = dict(payload)
        self._lease = lease
        self._lock = threading.Lock()
        self._handle: Handle | None = None
        # How the transfer is to end, "" as long as nobody has asked.
        self._asked = ""
        self._kill_asked = False

    def stop(self, end: str) -> None:
        """Ask the child to stop between two blocks; the transfer ends as `end`, or waits for the next worker."""
        with self._lock:
            self._asked = self._asked or end
            if self._handle is not None:
                self._handle.stop()

    def kill(self, end: str) -> None:
        """Kill the child; an end that an earlier stop asked for stands."""
        with self._lock:
            self._asked = self._asked or end
            self._kill_asked = True
            if self._handle is not None:
                self._handle.kill()

    def abandon(self, end: str) -> None:
        """Kill the child: the worker itself ends."""
        self.kill(end)

    def run(self) -> None:
        """Run the child, and write how it ended, again and again while the database is away."""
        try:
            end = self._run_child()
        except (Unavailable, PoolFull) as error:
            reason = f"no process could be started ({type(error).__name__})"
            return self._settle(lambda: self._owned.recover(reason))
        except MessageTooLarge:
            # No later try would do better. A child began with what it was given by a former configuration, if any.
            return self._settle(lambda: self._owned.end("failed", _TOO_LARGE, left=bool(self._owned.files)))
        if isinstance(end.refusal, LeaseLost):
            return None
        return self._settle(lambda: self._ended(end))

    def _settle(self, write: Callable[[], None]) -> None:
        while True:
            try:
                return write()
            except LeaseLost:
                logs.get("managed").warning("transfer.lost", transfer=self._owned.transfer.id)
                return None
            except Unavailable:
                time.sleep(_AGAIN_S)

    def _run_child(self) -> End:
        handle = self._runner.run(self._target, self._payload, self._on_message)
        with self._lock:
            self._handle = handle
            if self._kill_asked:
                handle.kill()
            elif self._asked:
                handle.stop()
        end = handle.wait()
        assert end is not None
        return end

    def _on_message(self, kind: str, data: Json) -> Json:
        """Write a report or answer a question; wait while the database is away, as long as the child may live."""
        while True:
            try:
                return self._handle_message(kind, data)
            except Unavailable:
                if self._kill_asked:
                    raise
                time.sleep(_AGAIN_S)

    def _handle_message(self, kind: str, data: Json) -> Json:
        owned = self._owned
        if kind == MAY_COMMIT:
            return not self._asked and owned.may_commit(self._lease, data["position"], data["checkpoint"])
        if kind == HELD:
            return owned.require(self._lease)
        if kind == FILES:
            return owned.known(data["after"])
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
        return None

    def _ended(self, end: End) -> None:
        """Write the end of the transfer or of this try of it."""
        owned = self._owned
        if end.completed and not end.result["stopped"]:
            if reason := end.result["recover"]:
                owned.recover(reason)
            else:
                owned.end(outcome(owned.files), left=end.result["left"])
        elif self._asked == INTERRUPTED:
            # It may be killed before it has stopped; what it has left is gone on with.
            owned.hand_back()
        elif self._asked:
            owned.end(self._asked, left=not end.completed or end.result["left"])
        elif end.error:
            owned.end("failed", f"An internal error ended the transfer ({end.error}).", left=True)
        else:
            owned.recover(f"the process of the transfer {end.reason}")
