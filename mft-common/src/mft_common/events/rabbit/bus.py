"""Carry events between machines through RabbitMQ: relays publish, consumers take, the broker keeps what is between."""

import logging
from collections.abc import Collection
from typing import Final

from mft_common import clock
from mft_common.database import Database
from mft_common.events import outbox_queries, pruning, topology
from mft_common.events.bus import DeadLetter
from mft_common.events.delivery import Delivery, Handlers, RetryPolicy
from mft_common.events.inbox import Inbox
from mft_common.events.outbox import Outbox
from mft_common.events.outbox_queries import Backlog
from mft_common.events.rabbit import dead
from mft_common.events.rabbit.consumer import Consumer
from mft_common.events.rabbit.link import Settings
from mft_common.events.rabbit.relay import Relay
from mft_common.process.background_tasks import BackgroundTask

_CONSUMERS: Final = 2


class RabbitBus:
    """The bus of many machines; `url` is `amqp://user:password@host:port/vhost`, timeouts are in seconds."""

    def __init__(
        self,
        url: str,
        *,
        consumers: topology.Topology = topology.CONSUMERS,
        patience: RetryPolicy | None = None,
        heartbeat: int = 20,
        connect_timeout: float = 5.0,
        confirm_timeout: float = 20.0,
        now: clock.Clock = clock.now_ms,
    ) -> None:
        # Each try to connect to a broker that is away is eight errors of pika's; the parts say it in one line.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self._settings = Settings(
            url=url,
            topology=consumers,
            heartbeat=heartbeat,
            connect_timeout=connect_timeout,
            confirm_timeout=confirm_timeout,
        )
        self._patience = patience or RetryPolicy()
        self._now = now

    def relay_tasks(self, database: Database, outbox: Outbox) -> list[BackgroundTask]:
        """Return the part that publishes what is in the outbox."""
        relay = Relay(self._settings, outbox.source, database, self._now)
        return [BackgroundTask(f"{outbox.source}-relay", relay.run)]

    def consume_tasks(self, service: str, database: Database, inbox: Inbox, handlers: Handlers) -> list[BackgroundTask]:
        """Return the parts that take the messages of `service`: two on PostgreSQL, where one works while one waits."""
        topology.check(self._settings.topology, service, frozenset(handlers))
        if not handlers:
            return []
        delivery = Delivery(service, database, inbox, handlers, patience=self._patience, now=self._now)
        consumer = Consumer(self._settings, delivery, self._now)
        # SQLite has one writer: a second consumer would only wait for the first.
        count = _CONSUMERS if database.dialect == "postgresql" else 1
        return [BackgroundTask(f"{service}-events-{number}", consumer.run) for number in range(1, count + 1)]

    def maintenance_tasks(self, database: Database, outbox: Outbox, inbox: Inbox | None = None) -> list[BackgroundTask]:
        """Return the task that deletes old rows which the broker has confirmed."""
        return [pruning.task(database, outbox, inbox, outbox_queries.published, now=self._now)]

    def check(self) -> None:
        """Raise Unavailable unless RabbitMQ answers."""
        dead.ask(self._settings)

    def backlog(self, service: str, database: Database) -> Backlog:  # noqa: ARG002 -- the bus's interface
        """Tell what RabbitMQ has not confirmed yet."""
        with database.read() as connection:
            return outbox_queries.unpublished(connection)

    def dead_letters(self, service: str, limit: int = 1_000) -> list[DeadLetter]:
        """List what `service` could not handle, oldest first."""
        return dead.dead_letters(self._settings, service, limit)

    def replay(self, service: str, ids: Collection[str] | None = None) -> int:
        """Put dead letters back into the queue of `service`."""
        return dead.replay(self._settings, service, ids)

    def close(self) -> None:
        """Hold nothing open: each part has its connection to itself and closes it."""
