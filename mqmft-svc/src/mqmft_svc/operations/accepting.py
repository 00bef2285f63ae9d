"""Write new managed transfers, each with its first record and its events, in the caller's transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.events import Event
from mft_common.ids import TransferIds
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.calls import BEFORE
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.next_calls import receiver_of
from mqmft_svc.domain.submissions import AgentRequest, Submission
from mqmft_svc.errors import AgentNotAuthorized, NoSuchAgent
from mqmft_svc.operations.managed import transfer_events
from mqmft_svc.operations.recording import Recorder
from mqmft_svc.schemas.events import change_of_event
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import OUTBOX

_NO_BROKER: Final = "The agent {name} has no message broker."
_NO_AGENT: Final = "The agent {name} is not configured any more."
_NOT_ALLOWED: Final = "The agent {name} does not take requests of the user {user}."


@dataclass(frozen=True)
class Refusal:
    """The final state of a request that was accepted and that an agent does not carry out, and the reason."""

    state: str
    reason: str


class Acceptor:
    """Accepts transfers; `agents` reads those of the configuration that was applied last."""

    def __init__(
        self,
        recorder: Recorder,
        agents: Callable[[sa.Connection], Mapping[str, Agent]],
        *,
        ids: TransferIds,
        host: str,
        now: Clock,
    ) -> None:
        self._recorder = recorder
        self._agents = agents
        self._ids = ids
        self._host = host
        self._now = now

    def new(self, submission: Submission, account: str, *, caused_by: str | None = None) -> Managed:
        """Return a transfer of its own id, which is not stored yet."""
        now = self._now()
        made = Managed(
            id=self._ids.new(), submission=submission, account=account, host=self._host,
            request_id=logs.request_id()[:64], submitted_at=now, queued_at=now, caused_by=caused_by,
        )  # fmt: skip
        return replace(made, receiver=receiver_of(made, BEFORE))

    def agents(self, connection: sa.Connection) -> Mapping[str, Agent]:
        """Return the agents of the configuration that was applied last."""
        return self._agents(connection)

    def agents_of(self, connection: sa.Connection, submission: Submission) -> tuple[Agent, Agent]:
        """Return the agents of a request; NoSuchAgent for one that is not there, or of another queue manager (155)."""
        agents = self._agents(connection)
        return required(agents, submission.source_agent), required(agents, submission.destination_agent)

    def add(
        self, connection: sa.Connection, transfer: Managed, agents: tuple[Agent, Agent], description: str = ""
    ) -> Refusal | None:
        """Store a new transfer; one that its agents do not carry out has ended when this returns how.

        `description` says what it waits for; one that waits for its time takes no place at its agent.
        """
        refusal = _refusal(transfer, agents)
        if refusal is None and transfer.status == "queued":
            refusal = _full(connection, agents[0])
        self._store(connection, transfer, refusal, description)
        return refusal

    def add_later(
        self, connection: sa.Connection, transfer: Managed, description: str, refusal: Refusal | None = None
    ) -> None:
        """Store a new transfer that was asked for earlier, when its agents may have been others.

        With a `refusal` it ends so, whatever its agents would do.
        """
        refusal = refusal or self._refusal_now(connection, transfer)
        self._store(connection, transfer, refusal, description)
        log_accepted(transfer, refusal)

    def release(self, connection: sa.Connection, transfer: Managed, refusal: Refusal | None = None) -> None:
        """Let a transfer that has waited for its time wait for a worker, or end it as its agents would a new one.

        With a `refusal` it ends so, whatever its agents would do.
        """
        refusal, now = refusal or self._refusal_now(connection, transfer), self._now()
        if refusal is None:
            store.update(connection, transfer.id, status="queued", queued_at=now, due_at=0)
            return
        store.end(connection, transfer, now)
        self.record(connection, transfer_events.ended(transfer, (), refusal.state, now, refusal.reason))
        log_accepted(transfer, refusal)

    def _refusal_now(self, connection: sa.Connection, transfer: Managed) -> Refusal | None:
        try:
            agents = self.agents_of(connection, transfer.submission)
        except NoSuchAgent as error:
            return Refusal("failed", _NO_AGENT.format(name=error.words["name"]))
        return _refusal(transfer, agents) or _full(connection, agents[0])

    def _store(self, connection: sa.Connection, transfer: Managed, refusal: Refusal | None, description: str) -> None:
        events: list[Event] = [transfer_events.started(transfer, description)]
        if refusal is None:
            store.insert(connection, transfer)
        else:
            events += transfer_events.ended(transfer, (), refusal.state, self._now(), refusal.reason)
        self.record(connection, events)

    def record(self, connection: sa.Connection, events: list[Event]) -> None:
        """Send events, and make the record that they stand for in the same transaction."""
        OUTBOX.add(connection, *events)
        self._recorder.record(connection, [change_of_event(event, self._now(), sequence=0) for event in events])


def log_accepted(transfer: Managed, refusal: Refusal | None) -> None:
    """Log that a transfer was accepted, and how it has ended where no agent carries it out."""
    log = logs.get("submitting")
    if refusal is None:
        items = len(transfer.submission.items)
        log.info("transfer.accepted", transfer=transfer.id, user=transfer.account, items=items)
    else:
        log.info("transfer.refused", transfer=transfer.id, state=refusal.state, reason=refusal.reason)


def required(agents: Mapping[str, Agent], request: AgentRequest) -> Agent:
    """Return the agent that a request names; NoSuchAgent where it is not there, or of another queue manager."""
    agent = agents.get(request.name)
    if agent is None or agent.qmgr.upper() != request.qmgr:
        raise no_such_agent(request)
    return agent


def no_such_agent(request: AgentRequest) -> NoSuchAgent:
    """Return the error for an agent that is not there, or is of another queue manager than the one that is named."""
    return NoSuchAgent(name=request.name, where=f" of the queue manager '{request.qmgr}'")


def not_allowed(agent: Agent, user: str) -> str | None:
    """Return why an agent does not take requests of a user, None where it does."""
    if agent.allow is None or user in agent.allow:
        return None
    return _NOT_ALLOWED.format(name=agent.name, user=user)


def require_allowed(agent: Agent | None, user: str) -> None:
    """Raise AgentNotAuthorized where an agent does not take requests of a user; None is one that is gone."""
    if agent is not None and not_allowed(agent, user):
        raise AgentNotAuthorized(agent=agent.name, user=user)


def _refusal(transfer: Managed, agents: tuple[Agent, Agent]) -> Refusal | None:
    """Return how a transfer ends that the agents do not carry out, None for one that a worker has to try."""
    submission, user = transfer.submission, transfer.account
    for agent in agents:
        if reason := not_allowed(agent, user):
            return Refusal("notAuthorized", reason)
    groups = any(item.source.use_groups for item in submission.items if item.source.type == "queue")
    if reason := submission.malformed or (agents[0].no_groups if groups and agents[0].queues else ""):
        return Refusal("malformed", f"{reason[0].upper()}{reason[1:]}.")
    for agent, kinds in zip(
        agents,
        ({item.source.type for item in submission.items}, {item.destination.type for item in submission.items}),
        strict=True,
    ):
        # Where other items of the request can be moved, each of these fails by itself.
        if kinds == {"queue"} and not agent.queues:
            return Refusal("failed", _NO_BROKER.format(name=agent.name))
    return None


def _full(connection: sa.Connection, source: Agent) -> Refusal | None:
    """Return the end of a request to an agent at which as many transfers wait as it takes."""
    if store.queued_of(connection, source.name) < source.maximum_queued_transfers:
        return None
    return Refusal("failed", f"{source.maximum_queued_transfers} transfers wait at the agent {source.name} already.")
