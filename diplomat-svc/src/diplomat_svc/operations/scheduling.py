"""Schedule jobs: everything that can be refused is refused before a row is written."""

from dataclasses import dataclass

import sqlalchemy as sa

from diplomat_svc.domain.jobs import Asker, Job
from diplomat_svc.domain.names import unfit_value
from diplomat_svc.errors import BadRequest
from diplomat_svc.operations import records, rights, telling
from diplomat_svc.schemas.requests import RunNow
from diplomat_svc.store import jobs, stamps, transactions
from diplomat_svc.store.transactions import Known
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.identity import Identity
from mft_common.ids import TransferIds


@dataclass(frozen=True)
class Scheduler:
    """Puts jobs into the queue."""

    database: Database
    transfer_ids: TransferIds
    clock: Clock
    host: str
    queue_limit: int

    def run_now(self, request: RunNow, caller: Identity) -> int:
        """Store a queued job, with its number and time from one step, and return that time once it is on disk (E2)."""
        rights.must_administer(caller)
        assert caller.account is not None
        asker = Asker(account=caller.account, label=caller.label, address=caller.address)
        with self.database.write() as connection:
            # The tick comes first: it is the lock under which the queue is counted and numbers are given (A32).
            scheduled_at = stamps.tick(connection, self.clock())
            known = self._find(connection, request, caller)
            self._check(connection, known, request)
            job = Job(
                sequence=stamps.next_sequence(connection),
                transaction_id=known.id,
                definition=known.definition,
                variables=request.variables,
                asker=asker,
                transfer_id=self.transfer_ids.new(),
                scheduled_at=scheduled_at,
                # A number of its own, greater than the time that the client gets and may ask `since` with (A38).
                updated_at=stamps.tick(connection, self.clock()),
            )
            jobs.add(connection, job, caller.request_id)
            given = ", ".join(f"{name}={value}" for name, value in request.variables.items())
            text = f"Scheduled by request{f' with {given}' if given else ''}."
            records.write(connection, job, scheduled_at, text, asked=True)
            telling.scheduled(connection, job, self.host)
        return scheduled_at

    def _find(self, connection: sa.Connection, request: RunNow, caller: Identity) -> Known:
        known = transactions.find(connection, number=request.number, name=request.name)
        if known is None or not rights.sees(caller)(known.definition.name):
            parameter = "transactionName" if request.number is None else "transactionID"
            raise BadRequest(f"The parameter {parameter} names no transaction.")
        return known

    def _check(self, connection: sa.Connection, known: Known, request: RunNow) -> None:
        if not known.definition.api_allowed:
            raise BadRequest("The transaction does not allow API requests.")
        if not known.definition.enabled:
            raise BadRequest("The transaction is switched off.")
        unfit = unfit_value(known.definition, request.variables)
        if unfit is not None:
            raise BadRequest("A parameter var holds a value that cannot be part of a file's name.")
        if transactions.waiting(connection, known.id) >= self.queue_limit:
            raise BadRequest("The queue of the transaction is full.")
