"""Carry events on one machine without a broker: each consumer keeps a cursor over each producer's outbox."""

import contextlib
import threading
from collections.abc import Collection, Mapping
from typing import Any, Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.database import Database
from mft_common.database.transient import is_transient
from mft_common.events import outbox_queries, pruning, topology
from mft_common.events.bus import DeadLetter
from mft_common.events.changes import ChangeDetector
from mft_common.events.delivery import Delivery, Handlers, OvertakenError, RetryPolicy
from mft_common.events.envelope import Envelope
from mft_common.events.errors import EventError
from mft_common.events.inbox import Failures, Inbox
from mft_common.events.outbox import Outbox
from mft_common.events.outbox_queries import Backlog, Cursor
from mft_common.process.background_tasks import BackgroundTask

# As many as one transaction holds the write lock of SQLite for without anybody noticing.
_BATCH: Final = 200
_RETRY_EVERY_MS: Final = 250
# A consumer that finds so many at a time finds more of them if it comes a little later, and pays for one commit.
_CROWD: Final = 16
_TICKS_IN_A_CROWD: Final = 4
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


class _Feed:
    """One producer's outbox as one consumer reads it."""

    def __init__(self, source: str, producer: Database, delivery: Delivery) -> None:
        self._source = source
        self._producer = producer
        self._delivery = delivery
        self._reading = outbox_queries.OutboxReader(delivery.types)
        self._seen: Cursor | None = None
        self.watch = ChangeDetector(producer)
        # How many events the last step has handled.
        self.handled = 0

    def step(self) -> bool:
        """Handle the next batch; True where there may be more."""
        old = self._stored() if self._seen is None else self._seen
        rows = self._producer.query(lambda look: self._reading.after(look, old, _BATCH))
        self.handled = 0
        if not rows:
            self._seen = old
            return False
        new = Cursor(rows[-1].tx, rows[-1].position)
        envelopes, unreadable = self._parse([row for row in rows if row.data is not None])
        if envelopes or unreadable or len(rows) == _BATCH:
            self._apply(envelopes, unreadable, new)
            self.handled = len(envelopes)
        else:
            # Nothing here is for this consumer: its cursor moves in memory, and on disk with the next event that is.
            self._seen = new
        return len(rows) == _BATCH

    def _apply(self, envelopes: list[Envelope[Any]], unreadable: list[tuple[Any, str, str]], new: Cursor) -> None:
        stored = self._stored()

        def advance(connection: sa.Connection) -> bool:
            for row, body, reason in unreadable:
                names = {"source": self._source, "id": row.id, "type": row.type, "subject": row.subject}
                self._delivery.keep_unreadable(connection, names, body, reason)
            return self._delivery.inbox.move(connection, self._source, stored, new)

        self._seen = None
        if stored > new:
            return
        with contextlib.suppress(OvertakenError):
            self._delivery.apply(envelopes, advance)
            self._seen = new

    def _parse(self, rows: list[Any]) -> tuple[list[Envelope[Any]], list[tuple[Any, str, str]]]:
        envelopes: list[Envelope[Any]] = []
        unreadable: list[tuple[Any, str, str]] = []
        for row in rows:
            try:
                envelopes += outbox_queries.envelopes(self._source, row, self._delivery.types)
            except EventError as error:
                unreadable.append((row, outbox_queries.raw(self._source, row), str(error)))
        return envelopes, unreadable

    def _stored(self) -> Cursor:
        return self._delivery.database.query(lambda look: self._delivery.inbox.place(look, self._source))


class LocalBus:
    """The bus of one machine. `databases` holds every service's database by the service's name.

    Consumers read the producers' outboxes themselves, so nothing is relayed. What could not be handled stays in the
    consumer's own database.
    """

    def __init__(
        self,
        databases: Mapping[str, Database],
        *,
        consumers: topology.Topology = topology.CONSUMERS,
        patience: RetryPolicy | None = None,
        now: clock.Clock = clock.now_ms,
    ) -> None:
        self._databases = dict(databases)
        self._consumers = consumers
        self._patience = patience or RetryPolicy()
        self._now = now
        self._inbox = Inbox(sa.MetaData())
        self._log = logs.get("events")

    def relay_tasks(self, database: Database, outbox: Outbox) -> list[BackgroundTask]:  # noqa: ARG002 -- the bus's interface
        """Return nothing: consumers fetch."""
        return []

    def consume_tasks(self, service: str, database: Database, inbox: Inbox, handlers: Handlers) -> list[BackgroundTask]:
        """Return one part that reads every producer's outbox."""
        topology.check(self._consumers, service, frozenset(handlers))
        if not handlers:
            return []
        delivery = Delivery(service, database, inbox, handlers, patience=self._patience, now=self._now)
        return [BackgroundTask(f"{service}-events", lambda stop: self._consume(delivery, stop))]

    def maintenance_tasks(self, database: Database, outbox: Outbox, inbox: Inbox | None = None) -> list[BackgroundTask]:
        """Return the task that deletes old rows which every consumer has handled."""
        return [pruning.task(database, outbox, inbox, lambda: self._handled(outbox.source), now=self._now)]

    def _handled(self, source: str) -> pruning.Condition:
        return outbox_queries.handled(
            (topology.types_of(self._consumers, consumer), self._stored_cursor(consumer, source))
            for consumer in self._consumers
        )

    def _stored_cursor(self, consumer: str, source: str) -> Cursor:
        """Return how far a consumer has read; a consumer whose database is not here has read nothing."""
        if consumer not in self._databases:
            return Cursor()
        return self._databases[consumer].query(lambda connection: self._inbox.place(connection, source))

    def _consume(self, delivery: Delivery, stop: threading.Event) -> None:
        pause, retry_at = _FIRST_PAUSE_S, 0
        with contextlib.ExitStack() as stack:
            feeds = [_Feed(source, producer, delivery) for source, producer in sorted(self._databases.items())]
            for feed in feeds:
                stack.enter_context(feed.watch)
            tick = least = min(feed.watch.pause for feed in feeds)
            ready = set(feeds)
            while not stop.wait(0 if ready else tick):
                tick = least
                ready |= {feed for feed in feeds if feed.watch.changed()}
                try:
                    woken, ready = ready, {feed for feed in ready if feed.step()}
                    if any(feed.handled >= _CROWD for feed in woken):
                        tick = least * _TICKS_IN_A_CROWD
                    if self._now() >= retry_at:
                        delivery.retry_due()
                        retry_at = self._now() + _RETRY_EVERY_MS
                    pause = _FIRST_PAUSE_S
                except Exception as error:
                    if not is_transient(error):
                        raise
                    self._log.warning("events.database_away", service=delivery.service, error=str(error))
                    stop.wait(pause)
                    pause, ready = min(pause * 2, _LONGEST_PAUSE_S), set(feeds)

    def check(self) -> None:
        """Raise Unavailable unless every database answers."""
        for database in self._databases.values():
            database.ping()

    def backlog(self, service: str, database: Database) -> Backlog:
        """Tell what the consumer that is farthest behind has not read yet."""
        worst = Backlog(0, None)
        for consumer, events in self._consumers.items():
            if consumer not in self._databases:
                continue
            place = self._stored_cursor(consumer, service)
            with database.read() as connection:
                waiting = outbox_queries.beyond(connection, place, {event.TYPE for event in events})
            worst = max(worst, waiting, key=lambda backlog: backlog.events)
        return worst

    def dead_letters(self, service: str, limit: int = 1_000) -> list[DeadLetter]:
        """List what `service` has given up, oldest first."""
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
        """Let the worker of `service` try dead letters anew."""
        with self._databases[service].write() as connection:
            return Failures(self._inbox).replay(connection, None if ids is None else set(ids), self._now())

    def close(self) -> None:
        """Hold nothing open, so there is nothing to let go of."""
