"""Start the jobs that no client requests: at the times of schedules, for stored files, and after a delay (37, E17)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from diplomat_svc.domain.calendar import long_time
from diplomat_svc.domain.jobs import Job, Requester
from diplomat_svc.domain.names import printable
from diplomat_svc.domain.states import DELAYED, INCOMPLETE, MISSED, QUEUED
from diplomat_svc.domain.transactions import CronSchedule, Options, Transaction
from diplomat_svc.operations.job_writer import JobWriter, log_end
from diplomat_svc.store import change_clock, jobs, timers, transactions
from diplomat_svc.store.transactions import StoredTransaction
from mft_common import logs
from mft_common.endpoints.names import Patterns
from mft_common.events import Envelope, FileStored
from mft_common.identity import SYSTEM
from mft_common.ids import TransferIds, new_request_id
from mft_common.schedules import Firing, time_zone

_BY_ITSELF = Requester(account=SYSTEM)


def add_job(
    writer: JobWriter,
    connection: sa.Connection,
    stored: StoredTransaction,
    *,
    transfer_id: str,
    requester: Requester,
    request_id: str,
    scheduled_at: int,
    text: str,
    variables: Mapping[str, str] | None = None,
    delay: float = 0.0,
    caused_by: str | None = None,
) -> Job:
    """Store a job that is queued, or delayed by `delay` seconds; `scheduled_at` is a stamp of the change clock."""
    job = Job(
        sequence=change_clock.next_sequence(connection),
        transaction_id=stored.id,
        definition=stored.definition,
        variables=variables or {},
        requester=requester,
        transfer_id=transfer_id,
        scheduled_at=scheduled_at,
        # Greater than the time that the client gets, so that a poll with it as `since` finds the job (A38).
        updated_at=change_clock.advance(connection, writer.clock()),
        status=DELAYED if delay else QUEUED,
        caused_by=caused_by,
    )
    due_at = scheduled_at + round(delay * 1000) if delay else 0
    writer.schedule(connection, job, request_id, text=text, due_at=due_at)
    return job


@dataclass(frozen=True)
class Starter:
    """Puts jobs into the queue whose times have come or whose files were stored.

    Every method works in the caller's transaction, so that a crash starts no job twice and loses none.
    """

    writer: JobWriter
    transfer_ids: TransferIds

    def fire(self, connection: sa.Connection, firing: Firing, options: Options) -> None:
        """Do what a due timer is for: a job of a schedule, or the queueing of a delayed job."""
        if firing.key.startswith(timers.DELAYED):
            self.writer.release(connection, int(firing.key.removeprefix(timers.DELAYED)))
            return
        stamp = change_clock.advance(connection, self.writer.clock())
        stored = transactions.find(connection, number=int(firing.key.removeprefix(timers.TRANSACTION)))
        if stored is None or not isinstance(stored.definition.schedule, CronSchedule):
            return
        due = long_time(firing.due_at, time_zone(stored.definition.schedule.time_zone))
        full = transactions.count_queued(connection, stored.id) >= options.queue_limit
        request_id = new_request_id()
        with logs.request_scope(request_id):
            job = self._add(connection, stored, stamp=stamp, text=f"Scheduled for {due}.", request_id=request_id)
            if firing.missed:
                self._end(connection, job, MISSED, f"No worker ran at {due}.")
            elif full:
                completion = MISSED if stored.definition.fail_if_not_found else INCOMPLETE
                self._end(connection, job, completion, "The queue of the transaction is full.")

    def file_stored(self, connection: sa.Connection, envelope: Envelope[FileStored]) -> None:
        """Start a job of each transaction whose trigger matches the file, for that file alone.

        A file that a job delivered starts no job of a transaction that led to that job: neither of the transaction
        itself nor of one whose files had triggered it. So no file goes round in a circle. The limit of the queue is
        that of requests and schedules: an event is a fact, and its job waits however many wait before it.
        """
        event = envelope.data
        folder, _, name = event.path.rpartition("/")
        triggered = [
            one
            for one in transactions.triggered_by(connection, folder or "/")
            if one.definition.trigger is not None and Patterns(one.definition.trigger.files).match(name)
        ]
        if not triggered:
            return
        change_clock.lock(connection)
        circle = jobs.causes(connection, event.transfer_id)
        for stored in triggered:
            if stored.id in circle:
                logs.get("triggers").info("trigger.own_file", transaction=stored.definition.name, path=event.path)
                continue
            stamp = change_clock.advance(connection, self.writer.clock())
            # The step after the last slash: a value with a slash could be no part of a name (A31).
            variables = {"file": name, "folder": folder.rpartition("/")[2]}
            text = f"Scheduled by the storing of {printable(event.path)}."
            alone = StoredTransaction(stored.id, _for_one_file(stored.definition, name))
            request_id = envelope.correlationid or new_request_id()
            self._add(
                connection,
                alone,
                stamp=stamp,
                text=text,
                request_id=request_id,
                variables=variables,
                caused_by=event.transfer_id,
            )

    def _add(
        self,
        connection: sa.Connection,
        stored: StoredTransaction,
        *,
        stamp: int,
        text: str,
        request_id: str,
        variables: Mapping[str, str] | None = None,
        caused_by: str | None = None,
    ) -> Job:
        return add_job(
            self.writer,
            connection,
            stored,
            transfer_id=self.transfer_ids.new(),
            requester=_BY_ITSELF,
            request_id=request_id,
            scheduled_at=stamp,
            text=text,
            variables=variables,
            caused_by=caused_by,
        )

    def _end(self, connection: sa.Connection, job: Job, completion: str, reason: str) -> None:
        """End a job that is not to run, in the transaction that stored it."""
        ended = self.writer.end_waiting(connection, job, completion, reason)
        if ended is not None:
            log_end(ended)


def _for_one_file(definition: Transaction, name: str) -> Transaction:
    """Return a definition that moves one file alone: other files are not required, and it was stored as a whole."""
    source = replace(definition.source, only=name, required=(), min_age=0.0)
    destination = definition.destination
    if destination.files is not None and "*" in name:
        # A `*` of the name would stand for the whole name once more (A30); a `*` of the template is that name.
        destination = replace(destination, files=destination.files.replace("<%file%>", "*"))
    return replace(definition, source=source, destination=destination)
