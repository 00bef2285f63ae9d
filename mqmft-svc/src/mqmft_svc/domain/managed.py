"""A managed transfer as the worker carries it out; the record of it is built from its events like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mqmft_svc.domain.calls import CallState
from mqmft_svc.domain.submissions import FOREVER, Submission

# `scheduled` waits for its time, `queued` for a worker.
Status = Literal["scheduled", "queued", "running", "over"]
Stop = Literal["", "cancelled", "deleted"]

LONGEST_PAUSE_S: Final = 300.0
FIRST_PAUSE_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Managed:
    """One managed transfer; times in milliseconds.

    `host` is that of the hub. `began_at` is when a worker took it first, `ended_at` when it had its final state.
    `recovering_since` is when it went into recovery, None while it moves; `retries` counts how often it was tried again
    after that or after a worker's death. `stop` is how someone who stopped it wants it to end, and `due_at` is when a
    worker may take it, 0 for at once. `queued_at` is since when it waits for one, which gives its place among others.
    `owner` is the worker that runs it, "" for none, and `fence` counts how often it was taken. `calls` are those of its
    calls that were tried, and `receiver` is that of the call which comes next, "" where bytes come next. `caused_by` is
    the transfer that wrote the file for which a monitor began this one, None where none is known.
    """

    id: str
    submission: Submission
    account: str
    host: str
    request_id: str
    submitted_at: int
    queued_at: int
    status: Status = "queued"
    due_at: int = 0
    began_at: int | None = None
    ended_at: int | None = None
    recovering_since: int | None = None
    retries: int = 0
    stop: Stop = ""
    owner: str = ""
    fence: int = 0
    calls: Mapping[str, CallState] = field(default_factory=dict)
    caused_by: str | None = None
    receiver: str = ""

    @property
    def token(self) -> str:
        """The mark of its unfinished files: the half of the id that differs."""
        return self.id[-16:]

    def recovery_ends(self, now: int) -> bool:
        """Return whether recovery that begins or goes on at `now` is not wanted any more (170)."""
        timeout = self.submission.recovery_timeout
        if timeout == FOREVER:
            return False
        since = now if self.recovering_since is None else self.recovering_since
        return now - since >= timeout * 1000


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A schedule that is not over; times in milliseconds.

    `id` is that of the transfer which its request made: the first occurrence. `runs` counts the transfers whose time
    has come; the last of them is `latest`, "" before the first.
    """

    id: str
    submission: Submission
    zone: str
    account: str
    made_at: int
    runs: int = 0
    latest: str = ""
