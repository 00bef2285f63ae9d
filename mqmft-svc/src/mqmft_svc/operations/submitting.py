"""Take requests for managed transfers, and requests to stop them (1.J)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mft_common.clock import Clock
from mft_common.database import Database
from mqmft_svc.domain.callers import Caller
from mqmft_svc.domain.ids import is_id
from mqmft_svc.domain.submissions import Submission
from mqmft_svc.domain.transfers import Transfer
from mqmft_svc.errors import AlreadyEnded, NoSuchTransfer
from mqmft_svc.operations import repeating
from mqmft_svc.operations.accepting import Acceptor, log_accepted, require_allowed
from mqmft_svc.operations.availability import Availability
from mqmft_svc.operations.calls.checking import check_hosts
from mqmft_svc.operations.managed import transfer_events
from mqmft_svc.operations.scheduling import Scheduling, description
from mqmft_svc.store import managed as store
from mqmft_svc.store import schedules
from mqmft_svc.store import transfers as records
from mqmft_svc.store.tables import SWEEPS

_PURGE_AT_ONCE: Final = 500
_ENDED: Final = "It has ended already"


class Submitting:
    """Writes a transfer, its first record and its event in one transaction, before anybody hears of it."""

    def __init__(
        self,
        database: Database,
        availability: Availability,
        acceptor: Acceptor,
        scheduling: Scheduling,
        *,
        now: Clock,
        call_hosts: Sequence[str] = (),
    ) -> None:
        self._call_hosts = call_hosts
        self._database = database
        self._availability = availability
        self._acceptor = acceptor
        self._scheduling = scheduling
        self._now = now

    def submit(self, submission: Submission, caller: Caller, key: str = "") -> str:
        """Accept a transfer and return its id (151-155).

        NoSuchAgent, BodyInvalid and TooManySchedules, and then nothing is recorded.

        A request that no agent carries out is accepted and has ended when this returns: `malformed`, `notAuthorized`
        or `failed`. One with a schedule begins when its time has come. With the `key` of an earlier request of this
        caller the id of that one's transfer is returned.
        BodyInvalid also where a call goes to a host that calls may not reach.
        """
        check_hosts(self._call_hosts, {f"transferSet.{name}": call for name, call in submission.calls.items()})
        self._availability.require()
        stored = repeating.digest(key)
        transfer = self._acceptor.new(submission, caller.user)
        now = transfer.submitted_at
        with self._database.write() as connection:
            if earlier := repeating.earlier(connection, caller.user, stored, now):
                return earlier
            agents = self._acceptor.agents_of(connection, submission)
            plan = self._scheduling.plan(connection, submission, agents[0], now)
            if plan is not None:
                self._scheduling.require_room(connection)
            repeating.remember(connection, caller.user, stored, transfer.id, now)
            if plan is None:
                refusal = self._acceptor.add(connection, transfer, agents)
            else:
                transfer = replace(transfer, status="scheduled", due_at=plan.first)
                refusal = self._acceptor.add(connection, transfer, agents, description(plan.first, plan.zone))
                if refusal is None:
                    self._scheduling.add(connection, transfer, plan)
        log_accepted(transfer, refusal)
        return transfer.id

    def cancel(self, id_: str, caller: Caller | None = None) -> None:
        """Take a transfer back before it began, or stop it (180); NoSuchTransfer, AgentNotAuthorized, AlreadyEnded.

        One that waits for its time is taken back with its whole schedule. A caller stops those of others only where
        their agents take the caller's requests; without one it is the operator of the hub, who stops any.
        """
        self._availability.require()
        key = id_.upper()
        now = self._now()
        with self._database.write() as connection:
            schedules.lock(connection)
            known = is_id(key)
            record = records.find(connection, key) if known else None
            transfer = store.find(connection, key, lock=True) if known else None
            if transfer is None:
                if record is None:
                    raise NoSuchTransfer(id=id_)
                raise AlreadyEnded(id=key, reason=_reason(record))
            if caller is not None and caller.user != transfer.account:
                agents, wanted = self._acceptor.agents(connection), transfer.submission
                for asked in (wanted.source_agent, wanted.destination_agent):
                    require_allowed(agents.get(asked.name), caller.user)
            if transfer.status == "over":
                raise AlreadyEnded(id=key, reason=_ENDED)
            if transfer.status == "running":
                store.update(connection, key, stop="cancelled")
                return
            if transfer.status == "scheduled":
                schedules.delete(connection, key)
            state = "deleted" if transfer.began_at is None else "cancelled"
            store.end(connection, transfer, now, stop=state)
            if transfer.began_at is not None:
                # What an attempt has left is removed by a worker.
                SWEEPS.add(connection, key, now)
            files = store.files_of(connection, key)
            self._acceptor.record(connection, transfer_events.ended(transfer, files, state, now))

    def purge(self) -> int:
        """Delete some of the transfers that ended a day ago, which the record alone keeps; return how many."""
        before = self._now() - repeating.KEY_LASTS_MS
        with self._database.write() as connection:
            return store.purge(connection, before, before, _PURGE_AT_ONCE)


def _reason(record: Transfer) -> str:
    """Return why the transfer of a record cannot be stopped; of one that ended long ago the record alone is left."""
    if record.network:
        return f"It belongs to the MFT network {record.network}, whose own agents stop it"
    if record.protocol == transfer_events.PROTOCOL:
        return _ENDED
    return f"It belongs to the protocol {record.protocol}, whose own requests stop it"
