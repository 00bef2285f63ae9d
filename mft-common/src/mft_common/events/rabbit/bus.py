"""Carry events between machines through RabbitMQ: relays publish to it, and consumers take from their queues."""

import logging
from collections.abc import Collection
from typing import Final

from mft_common import clock
from mft_common.database import Database
from mft_common.events import pruning, relay_queue, topology
from mft_common.events.backlog import Backlog
from mft_common.events.bus import DeadLetter
from mft_common.events.delivery import Delivery, Handlers, RetryPolicy
from mft_common.events.inbox import Inbox
from mft_common.events.outbox import Outbox
from mft_common.events.rabbit import dead_letters
from mft_common.events.rabbit.broker_connection import Settings
from mft_common.events.rabbit.consumer import Consumer
from mft_common.events.rabbit.probe import BrokerProbe
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
        retries: RetryPolicy | None = None,
        heartbeat: int = 20,
        connect_timeout: float = 5.0,
        confirm_timeout: float = 20.0,
        now: clock.Clock = clock.now_ms,
    ) -> None:
        # pika logs eight errors for each attempt to reach a broker that is away; the tasks log one line.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self._settings = Settings(
            url=url,
            topology=consumers,
            heartbeat=heartbeat,
            connect_timeout=connect_timeout,
            confirm_timeout=confirm_timeout,
        )
        self._retries = retries or RetryPolicy()
        self._probe = BrokerProbe(self._settings)
        self._now = now

    def relay_tasks(self, database: Database, outbox: Outbox) -> list[BackgroundTask]:
        """Return the task that publishes the outbox."""
        relay = Relay(self._settings, outbox.source, database, self._now)
        return [BackgroundTask(f"{outbox.source}-relay", relay.run)]

    def consume_tasks(self, service: str, database: Database, inbox: Inbox, handlers: Handlers) -> list[BackgroundTask]:
        """Return the tasks that consume the queue of `service`: two on PostgreSQL, because one often waits."""
        topology.check(self._settings.topology, service, frozenset(handlers))
        if not handlers:
            return []
        delivery = Delivery(service, database, inbox, handlers, retries=self._retries, now=self._now)
        consumer = Consumer(self._settings, delivery, self._now)
        # SQLite has one writer: a second consumer would only wait for the first.
        count = _CONSUMERS if database.dialect == "postgresql" else 1
        return [BackgroundTask(f"{service}-events-{number}", consumer.run) for number in range(1, count + 1)]

    def maintenance_tasks(self, database: Database, outbox: Outbox, inbox: Inbox | None = None) -> list[BackgroundTask]:
        """Return the task that deletes old rows which the broker has confirmed."""
        return [pruning.task(database, outbox, inbox, relay_queue.published, now=self._now)]

    def check(self) -> None:
        """Raise Unavailable unless RabbitMQ answers."""
        self._probe.check()

    def backlog(self, service: str, database: Database) -> Backlog:  # noqa: ARG002 -- the bus's interface
        """Count the events that RabbitMQ has not confirmed yet."""
        with database.read() as connection:
            return relay_queue.backlog(connection)

    def dead_letters(self, service: str, limit: int = 1_000) -> list[DeadLetter]:
        """List the events that `service` could not handle, oldest first."""
        return dead_letters.dead_letters(self._settings, service, limit)

    def count_dead_letters(self, service: str) -> int:
        """Count the messages in the dead-letter queue of `service`."""
        return dead_letters.count(self._settings, service)

    def replay(self, service: str, ids: Collection[str] | None = None) -> int:
        """Publish dead letters to the queue of `service` again."""
        return dead_letters.replay(self._settings, service, ids)

    def close(self) -> None:
        """Close the connection of the readiness probe; each task closes its own."""
        self._probe.close()
