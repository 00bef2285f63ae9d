"""Say what every bus does: relay what was committed, deliver it, and hand out what could not be handled."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from mft_common.database import Database
from mft_common.events.delivery import Handlers
from mft_common.events.inbox import Inbox
from mft_common.events.outbox import Outbox
from mft_common.events.outbox_queries import Backlog
from mft_common.process.background_tasks import BackgroundTask


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """An event that a service could not handle, and why; `time` is when it was given up, in milliseconds.

    `body` is the envelope as it came, which need not be readable; `source`, `type` and `subject` are empty then.
    """

    id: str
    source: str
    type: str
    subject: str
    reason: str
    attempts: int
    time: int
    body: str


class Bus(Protocol):
    """The way events take between services. Services hold one and never ask which it is."""

    def relay_tasks(self, database: Database, outbox: Outbox) -> list[BackgroundTask]:
        """Return what a producer's worker runs so that the events of its outbox leave; none where consumers fetch."""
        ...

    def consume_tasks(self, service: str, database: Database, inbox: Inbox, handlers: Handlers) -> list[BackgroundTask]:
        """Return what a consumer's worker runs: each event's handler, in one transaction with its inbox row.

        ValueError where `handlers` are not exactly what the topology tells `service` of.
        """
        ...

    def maintenance_tasks(self, database: Database, outbox: Outbox, inbox: Inbox | None = None) -> list[BackgroundTask]:
        """Return what a worker runs to delete outbox rows that are old and handled by all, and old inbox rows."""
        ...

    def check(self) -> None:
        """Raise Unavailable unless events can travel; for the readiness of workers."""
        ...

    def backlog(self, service: str, database: Database) -> Backlog:
        """Tell what `service` has committed and nobody has been given yet; for metrics."""
        ...

    def dead_letters(self, service: str, limit: int = 1_000) -> list[DeadLetter]:
        """List what `service` could not handle, oldest first; listing changes nothing."""
        ...

    def replay(self, service: str, ids: Collection[str] | None = None) -> int:
        """Hand dead letters to `service` once more, all or those `ids`, and return how many."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...
