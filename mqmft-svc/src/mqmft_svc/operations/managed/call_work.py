"""Give the calls of managed transfers to the workers, apart from what moves bytes (234)."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.leases import Lease
from mft_common.dispatch import Begin, Limits, Runner, StopRequest
from mqmft_svc.domain.next_calls import next_call
from mqmft_svc.operations.managed.call_process import TransferCallProcess
from mqmft_svc.operations.managed.called import CalledTransfer
from mqmft_svc.operations.managed.process import INTERRUPTED
from mqmft_svc.operations.managed.work import recover_lost
from mqmft_svc.store import managed as transfers
from mqmft_svc.store import transfer_calls as store
from mqmft_svc.store.tables import TRANSFER_CALL_WORKERS

_AT_ONCE: Final = 16
_LEASE_S: Final = 15.0
# How many calls of one receiver run at once, on all workers.
_OF_ONE_RECEIVER: Final = 4
# All that are due may wait for receivers that are busy.
_LOOK_AGAIN_S: Final = 0.25


class TransferCallWork:
    """The calls of managed transfers, as the work of a dispatcher: each piece is one try.

    A receiver that does not answer takes no place of the transfers that move bytes, and none at the agents; between two
    tries a transfer takes no place at all. `hosts` are those that calls may reach. `lease` is that of the workers (s).
    """

    interrupted = INTERRUPTED

    def __init__(
        self, database: Database, runner: Runner, *, hosts: Sequence[str], now: Clock, lease: float = _LEASE_S
    ) -> None:
        # A try that is interrupted is made again by the next worker: no end is waited for.
        self.limits = Limits(_AT_ONCE, lease, 0.0)
        self._database = database
        self._runner = runner
        self._hosts = hosts
        self._now = now
        self._not_before = 0.0

    def refresh(self, _connection: sa.Connection) -> Limits:
        """Return the limits, which are always the same."""
        return self.limits

    def recover(self, *, exclusive: bool = False, owner: str = "", running: Collection[str] = ()) -> int:
        """Queue the transfers whose call no worker makes any more, each with one retry more; return how many."""
        return TRANSFER_CALL_WORKERS.take_over(
            self._database, store.owners, lambda id_, by: recover_lost(self._database, id_, by, self._now),
            exclusive=exclusive, owner=owner, running=running,
        )  # fmt: skip

    def prepare(self) -> None:
        """Do nothing: a call leaves nothing behind."""

    def is_waiting(self) -> bool:
        """Return whether a call is due, and may not wait for its receiver alone."""
        return time.monotonic() >= self._not_before and self._database.query(
            lambda each: store.any_due(each, self._now())
        )

    def take(self, lease: Lease, begin: Begin[str]) -> bool:
        """Take the transfer whose call is due first, and begin the next try; False where there is none."""
        with self._database.write() as connection:
            if not TRANSFER_CALL_WORKERS.is_alive(connection, lease):
                # This worker was frozen since it renewed its lease; it ends with the next try to do so.
                return False
            transfer = store.take(connection, lease.owner, self._now(), _OF_ONE_RECEIVER)
        if transfer is None:
            self._not_before = time.monotonic() + _LOOK_AGAIN_S
            return False
        owned = CalledTransfer(self._database, transfer, self._now)
        process = TransferCallProcess(self._runner, owned, next_call(transfer), self._hosts, self._now)
        begin(transfer.id, transfer.request_id, process)
        return True

    def stop_requests(self, owner: str) -> Mapping[str, StopRequest]:
        """Return the transfers whose call this worker makes and that somebody wants to stop."""
        with self._database.read() as connection:
            return {id_: StopRequest(end) for id_, end in transfers.stop_requests(connection, owner).items()}
