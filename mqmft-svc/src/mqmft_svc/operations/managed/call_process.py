"""Run the child of one try of a transfer's call, and store how it went."""

from collections.abc import Sequence

from mft_common import logs
from mft_common.clock import Clock
from mft_common.dispatch import Runner
from mft_common.process.runner import Json
from mqmft_svc.domain.calls import Try
from mqmft_svc.operations.calls.try_process import INTERRUPTED, TryProcess
from mqmft_svc.operations.managed.called import CalledTransfer
from mqmft_svc.operations.managed.calling import CALL
from mqmft_svc.operations.managed.reports import FILES


class TransferCallProcess(TryProcess):
    """One try of the call `name` of a transfer."""

    def __init__(self, runner: Runner, owned: CalledTransfer, name: str, hosts: Sequence[str], now: Clock) -> None:
        super().__init__(runner, CALL, owned.call_payload(name, list(hosts)), now)
        self._owned = owned
        self._name = name

    def _tried(self, tried: Try) -> None:
        self._owned.tried(self._name, tried)

    def _wait(self, due_at: int) -> None:
        self._owned.postpone(due_at)

    def _stopped(self, asked: str) -> None:
        if asked == INTERRUPTED:
            # The next worker makes this try again.
            self._owned.postpone(0)
        else:
            self._owned.end(asked, left=False)

    def _log_lost(self) -> None:
        logs.get("managed").warning("transfer.lost", transfer=self._owned.transfer.id)

    def _on_message(self, kind: str, data: Json) -> Json:
        """Answer which files the transfer has; the child asks nothing else."""
        return self._owned.known(data["after"]) if kind == FILES else None
