"""Define what every bus does: relay and deliver committed events, and list and replay dead letters."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from mft_common.database import Database
from mft_common.events.backlog import Backlog
from mft_common.events.delivery import Handlers
from mft_common.events.inbox import Inbox
from mft_common.events.outbox import Outbox
from mft_common.process.background_tasks import BackgroundTask


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """An event that a service could not handle, and the reason; it was given up at `time`, in milliseconds.

    `body` is the envelope as it came. Where it cannot be read, `source`, `type` and `subject` are empty.
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
    """The transport of events between services; a service does not know which implementation it has."""

    def relay_tasks(self, database: Database, outbox: Outbox) -> list[BackgroundTask]:
        """Return the tasks of a producer's worker that publish its outbox; none where consumers read the outbox."""
        ...

    def consume_tasks(self, service: str, database: Database, inbox: Inbox, handlers: Handlers) -> list[BackgroundTask]:
        """Return the tasks of a consumer's worker that run each event's handler in one transaction with its inbox row.

        ValueError where `handlers` are not exactly the events that the topology sends to `service`.
        """
        ...

    def maintenance_tasks(self, database: Database, outbox: Outbox, inbox: Inbox | None = None) -> list[BackgroundTask]:
        """Return the tasks of a worker that delete outbox rows which are old and handled by all, and old inbox rows."""
        ...

    def check(self) -> None:
        """Raise Unavailable unless events can be delivered; for the readiness of workers."""
        ...

    def backlog(self, service: str, database: Database) -> Backlog:
        """Count the events that `service` has committed and that are not delivered yet; for metrics."""
        ...

    def dead_letters(self, service: str, limit: int = 1_000) -> list[DeadLetter]:
        """List the events that `service` could not handle, oldest first; listing changes nothing."""
        ...

    def count_dead_letters(self, service: str) -> int:
        """Count the events that `service` could not handle; for metrics."""
        ...

    def replay(self, service: str, ids: Collection[str] | None = None) -> int:
        """Deliver dead letters to `service` again, all or those `ids`, and return how many."""
        ...

    def close(self) -> None:
        """Close connections that the bus holds open."""
        ...
