"""Run the child of one try of a transfer's call, and store how it went."""

from collections.abc import Callable, Sequence
from typing import Final

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database.leases import LeaseLost
from mft_common.dispatch import Child, Runner, until_written
from mft_common.errors import Unavailable
from mft_common.process.runner import Json, MessageTooLarge, PoolFull
from mqmft_svc.domain.calls import Try
from mqmft_svc.operations.calls.process import try_of
from mqmft_svc.operations.managed.called import CalledTransfer
from mqmft_svc.operations.managed.calling import CALL
from mqmft_svc.operations.managed.process import INTERRUPTED
from mqmft_svc.operations.managed.reports import FILES

_NO_PROCESS_MS: Final = 5_000


class TransferCallProcess:
    """One try of a call; `run` returns once its end is stored, or the transfer is no longer this worker's."""

    def __init__(self, runner: Runner, owned: CalledTransfer, name: str, hosts: Sequence[str], now: Clock) -> None:
        self._child = Child(runner)
        self._owned = owned
        self._name = name
        self._hosts = list(hosts)
        self._now = now

    def stop(self, end: str) -> None:
        """Kill the child: a call that waits for its answer hears nothing else."""
        self._child.kill(end)

    def kill(self, end: str) -> None:
        """Kill the child."""
        self._child.kill(end)

    def abandon(self, end: str) -> None:
        """Kill the child: the worker itself ends."""
        self._child.kill(end)

    def run(self) -> None:
        """Run the child, and write how the try ended, again and again while the database is away."""
        owned, name = self._owned, self._name
        try:
            end = self._child.run(CALL, owned.call_payload(name, self._hosts), self._on_message)
        except (Unavailable, PoolFull):
            return self._settle(lambda: owned.postpone(self._now() + _NO_PROCESS_MS))
        except MessageTooLarge:
            tried = Try(reason="the request has more bytes than a process takes", is_final=True)
            return self._settle(lambda: owned.tried(name, tried))
        asked = self._child.asked
        if asked == INTERRUPTED and not end.completed:
            # The next worker makes this try again.
            return self._settle(lambda: owned.postpone(0))
        if asked and not end.completed:
            return self._settle(lambda: owned.end(asked, left=False))
        return self._settle(lambda: owned.tried(name, try_of(end)))

    def _settle(self, write: Callable[[], None]) -> None:
        try:
            until_written(write)
        except LeaseLost:
            logs.get("managed").warning("transfer.lost", transfer=self._owned.transfer.id)

    def _on_message(self, kind: str, data: Json) -> Json:
        """Answer which files the transfer has; the child asks nothing else."""
        return self._owned.known(data["after"]) if kind == FILES else None
