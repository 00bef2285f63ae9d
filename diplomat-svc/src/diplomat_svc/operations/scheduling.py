"""Schedule jobs; every check comes before the first row is written."""

from dataclasses import dataclass

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Job, Requester
from diplomat_svc.domain.names import unfit_value
from diplomat_svc.errors import BadRequest
from diplomat_svc.operations import rights
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.operations.starting import add_job
from diplomat_svc.schemas.requests import RunNow
from diplomat_svc.store import change_clock, transactions
from diplomat_svc.store.transactions import StoredTransaction
from mft_common.identity import Identity
from mft_common.ids import TransferIds


@dataclass(frozen=True)
class Scheduler:
    """Puts jobs into the queue."""

    writer: JobWriter
    transfer_ids: TransferIds
    queue_limit: int

    def run_now(self, request: RunNow, caller: Identity) -> int:
        """Store a queued job and return its `scheduledTime` once it is on disk (E2)."""
        rights.require_administrator(caller)
        return self.schedule(request, caller).scheduled_at

    def schedule(self, request: RunNow, caller: Identity, *, by_api: bool = True, delay: float = 0.0) -> Job:
        """Store a job that is queued, or delayed by `delay` seconds, and return it.

        Only the API asks whether the transaction allows it (36).
        """
        assert caller.account is not None
        requester = Requester(account=caller.account, label=caller.label, address=caller.address)
        with self.writer.database.write() as connection:
            # The clock comes first: its row is the lock under which the queue is counted and numbers are given (A32).
            scheduled_at = change_clock.advance(connection, self.writer.clock())
            stored = self._find(connection, request, caller)
            self._check(connection, stored, request, by_api=by_api)
            # Names alone: a value may be a secret.
            given = ", ".join(request.variables)
            return add_job(
                self.writer,
                connection,
                stored,
                transfer_id=self.transfer_ids.new(),
                requester=requester,
                request_id=caller.request_id,
                scheduled_at=scheduled_at,
                text=f"Scheduled by request{f' with a value of {given}' if given else ''}.",
                variables=request.variables,
                delay=delay,
            )

    def _find(self, connection: sa.Connection, request: RunNow, caller: Identity) -> StoredTransaction:
        stored = transactions.find(connection, number=request.number, name=request.name)
        if stored is None or not rights.visible_to(caller)(stored.definition.name):
            raise rights.unknown_transaction(request)
        return stored

    def _check(self, connection: sa.Connection, stored: StoredTransaction, request: RunNow, *, by_api: bool) -> None:
        if by_api and not stored.definition.api_allowed:
            raise BadRequest("The transaction does not allow API requests.")
        if not stored.definition.enabled:
            raise BadRequest("The transaction is switched off.")
        unfit = unfit_value(stored.definition, request.variables)
        if unfit is not None:
            raise BadRequest("A parameter var holds a value that cannot be part of a file's name.")
        if transactions.count_queued(connection, stored.id) >= self.queue_limit:
            raise BadRequest("The queue of the transaction is full.")
