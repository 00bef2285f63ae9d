"""Deliver events on one machine without a broker: each consumer keeps a cursor over each producer's outbox."""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.backoff import Backoff
from mft_common.database import Database
from mft_common.database.transient import is_transient
from mft_common.events import outbox_reader, pruning, topology
from mft_common.events.backlog import Backlog
from mft_common.events.bus import DeadLetter
from mft_common.events.delivery import Delivery, Handlers, RetryPolicy
from mft_common.events.inbox import Failures, Inbox
from mft_common.events.outbox import Outbox
from mft_common.events.outbox_feed import OutboxFeed
from mft_common.events.outbox_reader import Cursor
from mft_common.process.background_tasks import BackgroundTask

_RETRY_EVERY_S: Final = 0.25
# After a batch of this size a consumer pauses four times as long, so that the next commit serves more events.
_LARGE_BATCH: Final = 16
_LONGER_PAUSE: Final = 4
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


class LocalBus:
    """The bus of one machine. `databases` holds every service's database by the service's name.

    Consumers read the producers' outboxes themselves, so nothing is relayed. Dead letters stay in the consumer's own
    database.
    """

    def __init__(
        self,
        databases: Mapping[str, Database],
        *,
        consumers: topology.Topology = topology.CONSUMERS,
        retries: RetryPolicy | None = None,
        now: clock.Clock = clock.now_ms,
    ) -> None:
        self._databases = dict(databases)
        self._consumers = consumers
        self._retries = retries or RetryPolicy()
        self._now = now
        self._inbox = Inbox(sa.MetaData())

    def relay_tasks(self, database: Database, outbox: Outbox) -> list[BackgroundTask]:  # noqa: ARG002 -- the bus's interface
        """Return no task: consumers read the outbox themselves."""
        return []

    def consume_tasks(self, service: str, database: Database, inbox: Inbox, handlers: Handlers) -> list[BackgroundTask]:
        """Return one task that reads every producer's outbox."""
        topology.check(self._consumers, service, frozenset(handlers))
        if not handlers:
            return []
        delivery = Delivery(service, database, inbox, handlers, retries=self._retries, now=self._now)
        return [BackgroundTask(f"{service}-events", lambda stop: self._consume(delivery, stop))]

    def maintenance_tasks(self, database: Database, outbox: Outbox, inbox: Inbox | None = None) -> list[BackgroundTask]:
        """Return the task that deletes old rows which every consumer has handled."""
        return [pruning.task(database, outbox, inbox, lambda: self._handled(outbox.source), now=self._now)]

    def _handled(self, source: str) -> pruning.Condition:
        return outbox_reader.handled(
            (topology.types_of(self._consumers, consumer), self._stored_cursor(consumer, source))
            for consumer in self._consumers
        )

    def _stored_cursor(self, consumer: str, source: str) -> Cursor:
        """Return how far a consumer has read: nothing, where its database is not at hand."""
        if consumer not in self._databases:
            return Cursor()
        return self._databases[consumer].query(lambda connection: self._inbox.cursor(connection, source))

    def _consume(self, delivery: Delivery, stop: threading.Event) -> None:
        with contextlib.ExitStack() as stack:
            feeds = [
                stack.enter_context(OutboxFeed(source, producer, delivery))
                for source, producer in sorted(self._databases.items())
            ]
            # Each on its own: a producer whose database does not answer holds up no event of the others.
            attempts = {feed: _Attempts(delivery.service, feed.step) for feed in feeds}
            retries, retry_at = _Attempts(delivery.service, lambda: delivery.retry_due() > 0), 0.0
            pause = shortest = min(feed.pause for feed in feeds)
            ready = set(feeds)
            while not stop.wait(0 if ready else pause):
                pause = shortest
                ready |= {feed for feed in feeds if feed.changed() or attempts[feed].failed}
                stepped, ready = ready, {feed for feed in ready if attempts[feed].run()}
                if any(feed.handled >= _LARGE_BATCH for feed in stepped):
                    pause = shortest * _LONGER_PAUSE
                if time.monotonic() >= retry_at:
                    retries.run()
                    retry_at = time.monotonic() + _RETRY_EVERY_S

    def check(self) -> None:
        """Raise Unavailable unless every database answers."""
        for database in self._databases.values():
            database.ping()

    def backlog(self, service: str, database: Database) -> Backlog:
        """Count the events that the slowest consumer has not read yet."""
        worst = Backlog(0, None)
        for consumer, events in self._consumers.items():
            if consumer not in self._databases:
                continue
            cursor = self._stored_cursor(consumer, service)
            with database.read() as connection:
                waiting = outbox_reader.backlog_after(connection, cursor, {event.TYPE for event in events})
            worst = max(worst, waiting, key=lambda backlog: backlog.events)
        return worst

    def count_dead_letters(self, service: str) -> int:
        """Count the events that `service` has given up."""
        with self._databases[service].read() as connection:
            return Failures(self._inbox).count_given_up(connection)

    def dead_letters(self, service: str, limit: int = 1_000) -> list[DeadLetter]:
        """List the events that `service` has given up, oldest first."""
        with self._databases[service].read() as connection:
            rows = Failures(self._inbox).given_up(connection, limit)
        return [
            DeadLetter(
                id=row.id,
                source=row.source,
                type=row.type,
                subject=row.subject,
                reason=row.reason,
                attempts=row.attempts,
                time=row.failed_at,
                body=row.body,
            )
            for row in rows
        ]

    def replay(self, service: str, ids: Collection[str] | None = None) -> int:
        """Let the worker of `service` try dead letters again."""
        with self._databases[service].write() as connection:
            return Failures(self._inbox).replay(connection, None if ids is None else set(ids), self._now())

    def close(self) -> None:
        """Close nothing: the databases belong to the services."""


class _Attempts:
    """Attempts at an action that needs databases; after one that fails the next waits, longer each time."""

    def __init__(self, service: str, action: Callable[[], bool]) -> None:
        self.failed = False
        self._service = service
        self._action = action
        self._backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._next_at = 0.0
        self._log = logs.get("events")

    def run(self) -> bool:
        """Return the action's result; False where it fails, or failed a short time ago."""
        if self.failed and time.monotonic() < self._next_at:
            return False
        self._backoff.begin()
        try:
            result = self._action()
        except Exception as error:  # noqa: BLE001 -- a fault of one outbox is logged, and the others are read
            if is_transient(error):
                self._log.warning("events.database_away", service=self._service, error=str(error))
            else:
                self._log.exception("events.failed", service=self._service)
            self.failed = True
            self._next_at = time.monotonic() + self._backoff.pause()
            return False
        self.failed = False
        self._backoff.reset()
        return result
