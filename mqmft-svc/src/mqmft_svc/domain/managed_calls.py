"""A call that was asked for by itself: what its answer shows, and what its worker needs (1.M)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mqmft_svc.domain.calls import CallRequest, CallState, Outcome, Try
from mqmft_svc.domain.submissions import AgentRequest

Phase = Literal["queued", "running", "over"]


@dataclass(frozen=True, kw_only=True)
class CallSubmission:
    """A call of an agent that was asked for."""

    agent: AgentRequest
    call: CallRequest
    job_name: str = ""
    user_properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ManagedCall:
    """One call; times in milliseconds.

    `name` is the part of its URL that is shown, and `request` what is sent, None once the call is over: URL and headers
    may hold secrets. `state` is one of the words for transfers. `result_code` and `answer` are those of the last try.
    `phase` says whether a worker may take it from `due_at` on, which is the time of its end once it is over; `owner` is
    the worker that runs it, "" for none, and `fence` counts how often it was taken. `arrival` counts calls in the order
    of their requests.
    """

    id: str
    agent: str
    qmgr: str
    name: str
    account: str
    host: str
    request_id: str
    started_at: int
    updated_at: int
    due_at: int
    request: CallRequest | None
    job_name: str = ""
    user_properties: Mapping[str, str] = field(default_factory=dict)
    state: str = "started"
    description: str = ""
    ended_at: int | None = None
    outcome: Outcome = ""
    result_code: int = 0
    answer: str = ""
    tries: int = 0
    phase: Phase = "queued"
    owner: str = ""
    fence: int = 0
    arrival: int = 0

    @property
    def progress(self) -> CallState:
        """How far it is, as far as the next try depends on it."""
        return CallState(tries=self.tries, outcome=self.outcome, last=Try(status=self.result_code, answer=self.answer))
