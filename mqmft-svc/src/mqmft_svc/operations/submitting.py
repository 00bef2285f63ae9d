"""Take requests for managed transfers, and requests to stop them (1.J)."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.events import Event
from mft_common.ids import TransferIds
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.callers import Caller
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.submissions import AgentRequest, Submission
from mqmft_svc.domain.transfers import Transfer
from mqmft_svc.errors import AlreadyEnded, NoSuchAgent, NoSuchTransfer
from mqmft_svc.operations.availability import Availability
from mqmft_svc.operations.managed import transfer_events
from mqmft_svc.operations.recording import Recorder
from mqmft_svc.schemas.events import change_of_event
from mqmft_svc.store import managed as store
from mqmft_svc.store import transfers as records
from mqmft_svc.store.tables import OUTBOX

# How long a repeated request with the same key gets the first one's answer (152).
KEY_LASTS_MS: Final = 86_400_000
_PURGE_AT_ONCE: Final = 500
_ENDED: Final = "It has ended already"
_NO_BROKER: Final = "The agent {name} has no message broker."
_NO_QUEUES: Final = "The agent {name} has a message broker, but this version of the hub moves no messages."
_NOT_ALLOWED: Final = "The agent {name} does not take requests of the user {user}."


@dataclass(frozen=True)
class Refusal:
    """The final state of a request that was accepted and that an agent does not carry out, and the reason."""

    state: str
    reason: str


class Submitting:
    """Writes a transfer, its first record and its event in one transaction, before anybody hears of it."""

    def __init__(
        self,
        database: Database,
        availability: Availability,
        recorder: Recorder,
        agents: Callable[[sa.Connection], Mapping[str, Agent]],
        *,
        ids: TransferIds,
        host: str,
        now: Clock,
    ) -> None:
        self._database = database
        self._availability = availability
        self._recorder = recorder
        self._agents = agents
        self._ids = ids
        self._host = host
        self._now = now

    def submit(self, submission: Submission, caller: Caller, key: str = "") -> str:
        """Accept a transfer and return its id; NoSuchAgent, and then nothing is recorded (151-155).

        A request that no agent carries out is accepted and has ended when this returns: `malformed`, `notAuthorized`
        or `failed`. With the `key` of an earlier request of this caller the id of that one's transfer is returned.
        """
        self._availability.require()
        now = self._now()
        # Any text is a key, of any length.
        key = key and hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        transfer = Managed(
            id=self._ids.new(), submission=submission, account=caller.user, host=self._host,
            request_id=logs.request_id()[:64], submitted_at=now, due_at=now,
        )  # fmt: skip
        with self._database.write() as connection:
            if key:
                store.lock_keys(connection, caller.user)
                if earlier := store.repeated(connection, caller.user, key, now - KEY_LASTS_MS):
                    return earlier
            found = self._required(self._agents(connection), submission)
            refusal = _refusal(submission, found, caller) or _full(connection, found[0])
            if key:
                store.remember(connection, caller.user, key, transfer.id, now)
            events: list[Event] = [transfer_events.started(transfer)]
            if refusal is None:
                store.insert(connection, transfer)
            else:
                events += transfer_events.ended(transfer, (), refusal.state, now, refusal.reason)
            self._record(connection, events)
        log = logs.get("submitting")
        if refusal is None:
            log.info("transfer.accepted", transfer=transfer.id, user=caller.user, items=len(submission.items))
        else:
            log.info("transfer.refused", transfer=transfer.id, state=refusal.state, reason=refusal.reason)
        return transfer.id

    def cancel(self, id_: str) -> None:
        """Take a transfer back before it began, or stop it (180); NoSuchTransfer, AlreadyEnded."""
        self._availability.require()
        key = id_.upper()
        now = self._now()
        with self._database.write() as connection:
            known = key.isascii() and key.isalnum() and len(key) <= 48
            record = records.find(connection, key) if known else None
            transfer = store.find(connection, key, lock=True) if known else None
            if transfer is None:
                if record is None:
                    raise NoSuchTransfer(id=id_)
                raise AlreadyEnded(id=key, reason=_reason(record))
            if transfer.status in ("leaving", "over"):
                raise AlreadyEnded(id=key, reason=_ENDED)
            if transfer.status == "running":
                store.update(connection, key, stop="cancelled")
                return
            state = "deleted" if transfer.began_at is None else "cancelled"
            # What an attempt has left is removed by a worker.
            status = "over" if transfer.began_at is None else "leaving"
            store.update(connection, key, status=status, stop=state, ended_at=now, due_at=now)
            files = store.files_of(connection, key)
            self._record(connection, transfer_events.ended(transfer, files, state, now))

    def purge(self) -> int:
        """Delete some of the transfers that ended a day ago, which the record alone keeps; return how many."""
        before = self._now() - KEY_LASTS_MS
        with self._database.write() as connection:
            return store.purge(connection, before, before, _PURGE_AT_ONCE)

    @staticmethod
    def _required(agents: Mapping[str, Agent], submission: Submission) -> tuple[Agent, Agent]:
        """Return the agents of a request; NoSuchAgent for one that is not there, or of another queue manager (155)."""

        def find(request: AgentRequest) -> Agent:
            agent = agents.get(request.name)
            if agent is None or agent.qmgr.upper() != request.qmgr:
                raise NoSuchAgent(name=request.name)
            return agent

        return find(submission.source_agent), find(submission.destination_agent)

    def _record(self, connection: sa.Connection, events: list[Event]) -> None:
        OUTBOX.add(connection, *events)
        self._recorder.record(connection, [change_of_event(event, self._now(), sequence=0) for event in events])


def _refusal(submission: Submission, agents: tuple[Agent, Agent], caller: Caller) -> Refusal | None:
    """Return how a request ends that the agents do not carry out, None for one that a worker has to try."""
    for agent in agents:
        if agent.allow is not None and caller.user not in agent.allow:
            return Refusal("notAuthorized", _NOT_ALLOWED.format(name=agent.name, user=caller.user))
    if reason := submission.malformed:
        return Refusal("malformed", f"{reason[0].upper()}{reason[1:]}.")
    for agent, kinds in zip(
        agents,
        ({item.source.type for item in submission.items}, {item.destination.type for item in submission.items}),
        strict=True,
    ):
        if "queue" in kinds:
            return Refusal("failed", (_NO_QUEUES if agent.queues else _NO_BROKER).format(name=agent.name))
    return None


def _full(connection: sa.Connection, source: Agent) -> Refusal | None:
    """Return the end of a request to an agent at which as many transfers wait as it takes."""
    if store.queued_of(connection, source.name) < source.maximum_queued_transfers:
        return None
    return Refusal("failed", f"{source.maximum_queued_transfers} transfers wait at the agent {source.name} already.")


def _reason(record: Transfer) -> str:
    """Return why the transfer of a record cannot be stopped; of one that ended long ago the record alone is left."""
    if record.network:
        return f"It belongs to the MFT network {record.network}, whose own agents stop it"
    if record.protocol == transfer_events.PROTOCOL:
        return _ENDED
    return f"It belongs to the protocol {record.protocol}, whose own requests stop it"
