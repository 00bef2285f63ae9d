"""Give the calls of managed transfers to the workers, apart from what moves bytes (234)."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from mft_common.database.statements import Connection
from mft_common.dispatch import Begin, StopRequest
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.next_calls import next_call
from mqmft_svc.operations.calls.try_work import TryWork
from mqmft_svc.operations.managed.call_process import TransferCallProcess
from mqmft_svc.operations.managed.called import CalledTransfer
from mqmft_svc.operations.managed.work import recover_lost
from mqmft_svc.store import managed as transfers
from mqmft_svc.store import transfer_calls as store
from mqmft_svc.store.tables import TRANSFER_CALL_WORKERS


class TransferCallWork(TryWork[Managed]):
    """The calls of managed transfers, as the work of a dispatcher: each piece is one try.

    A receiver that does not answer takes no place of the transfers that move bytes, and none at the agents; between two
    tries a transfer takes no place at all.
    """

    _workers = TRANSFER_CALL_WORKERS

    def recover(self, *, exclusive: bool = False, owner: str = "", running: Collection[str] = ()) -> int:
        """Queue the transfers whose call no worker makes any more, each with one retry more; return how many."""
        return TRANSFER_CALL_WORKERS.take_over(
            self._database, store.owners, lambda id_, by: recover_lost(self._database, id_, by, self._now),
            exclusive=exclusive, owner=owner, running=running,
        )  # fmt: skip

    def stop_requests(self, owner: str) -> Mapping[str, StopRequest]:
        """Return the transfers whose call this worker makes and that somebody wants to stop."""
        with self._database.read() as connection:
            return {id_: StopRequest(end) for id_, end in transfers.stop_requests(connection, owner).items()}

    def _any_due(self, connection: Connection, now: int) -> bool:
        return store.any_due(connection, now)

    def _take(self, connection: sa.Connection, owner: str, now: int, of_one_receiver: int) -> Managed | None:
        return store.take(connection, owner, now, of_one_receiver)

    def _begin(self, piece: Managed, begin: Begin[str]) -> None:
        owned = CalledTransfer(self._database, piece, self._now)
        process = TransferCallProcess(self._runner, owned, next_call(piece), self._hosts, self._now)
        begin(piece.id, piece.request_id, process)
