"""Give the calls that were asked for by themselves to the workers (191)."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.leases import Lease, LeaseLost
from mft_common.dispatch import Begin, Limits, Runner, StopRequest
from mqmft_svc.domain.managed_calls import ManagedCall
from mqmft_svc.operations.calls.process import INTERRUPTED, CallProcess
from mqmft_svc.store import calls as store
from mqmft_svc.store.tables import CALL_WORKERS

_AT_ONCE: Final = 16
_LEASE_S: Final = 15.0
# How many calls of one receiver run at once, on all workers.
_OF_ONE_RECEIVER: Final = 4
# All that are due may wait for receivers that are busy.
_LOOK_AGAIN_S: Final = 0.25


class CallWork:
    """The calls, as the work of a dispatcher: each piece is one try, and between two tries a call takes no place.

    `hosts` are those that calls may reach. `lease` is that of the workers, in seconds.
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
        """Queue the calls that no worker runs any more, without a try counted; return how many."""
        calls: dict[str, ManagedCall] = {}

        def owners(connection: sa.Connection) -> Mapping[str, str]:
            calls.update({one.id: one for one in store.running(connection)})
            return {one.id: one.owner for one in calls.values()}

        return CALL_WORKERS.take_over(
            self._database, owners, lambda id_, _by: self._queue(calls[id_]),
            exclusive=exclusive, owner=owner, running=running,
        )  # fmt: skip

    def _queue(self, call: ManagedCall) -> bool:
        try:
            with self._database.write() as connection:
                store.change(connection, call, phase="queued", due_at=self._now(), owner="")
        except LeaseLost:
            # Another worker was faster, or the call has just ended.
            return False
        return True

    def prepare(self) -> None:
        """Do nothing: a call leaves nothing behind."""

    def is_waiting(self) -> bool:
        """Return whether a call is due, and may not wait for its receiver alone."""
        return time.monotonic() >= self._not_before and self._database.query(
            lambda each: store.any_due(each, self._now())
        )

    def take(self, lease: Lease, begin: Begin[str]) -> bool:
        """Take the call that is due first, and begin its next try; False where there is none."""
        with self._database.write() as connection:
            if not CALL_WORKERS.is_alive(connection, lease):
                # This worker was frozen since it renewed its lease; it ends with the next try to do so.
                return False
            call = store.take(connection, lease.owner, self._now(), _OF_ONE_RECEIVER)
        if call is None:
            self._not_before = time.monotonic() + _LOOK_AGAIN_S
            return False
        begin(call.id, call.request_id, CallProcess(self._runner, self._database, call, self._hosts, self._now))
        return True

    def stop_requests(self, _owner: str) -> Mapping[str, StopRequest]:
        """Return none: nobody stops a call."""
        return {}
