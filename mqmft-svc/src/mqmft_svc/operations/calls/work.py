"""Give the calls that were asked for by themselves to the workers (191)."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from mft_common.database.leases import LeaseLost
from mft_common.database.statements import Connection
from mft_common.dispatch import Begin, StopRequest
from mqmft_svc.domain.managed_calls import ManagedCall
from mqmft_svc.operations.calls.process import CallProcess
from mqmft_svc.operations.calls.try_work import TryWork
from mqmft_svc.store import calls as store
from mqmft_svc.store.tables import CALL_WORKERS


class CallWork(TryWork[ManagedCall]):
    """The calls, as the work of a dispatcher: each piece is one try, and between two tries a call takes no place."""

    _workers = CALL_WORKERS

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

    def stop_requests(self, _owner: str) -> Mapping[str, StopRequest]:
        """Return none: nobody stops a call."""
        return {}

    def _any_due(self, connection: Connection, now: int) -> bool:
        return store.any_due(connection, now)

    def _take(self, connection: sa.Connection, owner: str, now: int, of_one_receiver: int) -> ManagedCall | None:
        return store.take(connection, owner, now, of_one_receiver)

    def _begin(self, piece: ManagedCall, begin: Begin[str]) -> None:
        begin(piece.id, piece.request_id, CallProcess(self._runner, self._database, piece, self._hosts, self._now))
