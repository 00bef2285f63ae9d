"""Take messages from a service's queue in batches, hand them to its handlers, and acknowledge after the commit."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.backoff import Backoff
from mft_common.errors import Unavailable
from mft_common.events.delivery import Delivery
from mft_common.events.envelope import Envelope, parse
from mft_common.events.errors import EventError
from mft_common.events.rabbit.batches import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    next_batch,
    retry_while_database_is_away,
)
from mft_common.events.rabbit.broker_connection import BrokerConnection, Delivered, Settings
from mft_common.events.rabbit.dead_letters import given_up_message, unreadable_message

_BATCH: Final = 500
_PREFETCH: Final = 2 * _BATCH
_RETRY_EVERY_S: Final = 0.25


class Consumer:
    """Consumes the queue of one service; several consumers, in several processes, share the work.

    An event whose handler fails is stored in the service's own database, in the transaction of its batch, and is tried
    again from there; an event that is given up is published to the dead letters. Messages are acknowledged after that
    transaction.
    """

    def __init__(self, settings: Settings, delivery: Delivery, now: clock.Clock) -> None:
        self._settings = settings
        self._delivery = delivery
        self._now = now
        self._service = delivery.service
        self._log = logs.get("events")

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set, and connect anew where the connection is lost."""
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while not stop.is_set():
            try:
                name = f"{self._service}-consumer"
                with BrokerConnection(self._settings, name, consume=self._service, prefetch=_PREFETCH) as broker:
                    backoff.reset()
                    self._consume(broker, stop)
            except Unavailable as error:
                self._log.warning("consumer.waiting", service=self._service, error=str(error))
                stop.wait(backoff.pause())

    def _consume(self, broker: BrokerConnection, stop: threading.Event) -> None:
        retry_at = 0.0
        while not stop.is_set():
            if batch := next_batch(broker, _BATCH, _RETRY_EVERY_S):
                self._handle(broker, batch, stop)
            if time.monotonic() >= retry_at:
                self._while_database_is_away(broker, stop, lambda: self._retry(broker))
                retry_at = time.monotonic() + _RETRY_EVERY_S

    def _handle(self, broker: BrokerConnection, batch: list[Delivered], stop: threading.Event) -> None:
        envelopes: list[Envelope[Any]] = []
        unreadable = []
        for delivered in batch:
            try:
                envelopes.append(parse(delivered.body))
            except EventError as error:
                unreadable.append(unreadable_message(self._service, delivered, str(error), self._now()))
        if unreadable:
            self._log.error("event.unreadable", service=self._service, count=len(unreadable))
            outcome = broker.publish(unreadable)
            if len(outcome.confirmed) < len(unreadable):
                raise Unavailable("RabbitMQ did not confirm the dead letters")
        if self._while_database_is_away(broker, stop, lambda: self._delivery.apply(envelopes)):
            broker.ack(batch[-1].tag, multiple=True)

    def _while_database_is_away(
        self, broker: BrokerConnection, stop: threading.Event, action: Callable[[], object]
    ) -> bool:
        return retry_while_database_is_away(broker, stop, self._log, action, service=self._service)

    def _retry(self, broker: BrokerConnection) -> None:
        self._delivery.retry_due()
        self._publish_dead_letters(broker)

    def _publish_dead_letters(self, broker: BrokerConnection) -> None:
        database, failures = self._delivery.database, self._delivery.failures
        with database.read() as connection:
            rows = failures.given_up(connection, _BATCH)
        if not rows:
            return
        if database.dialect == "postgresql":
            # They stay locked until they are removed, so that no other consumer publishes them too.
            with database.write() as connection:
                rows = failures.given_up(connection, _BATCH, lock=True)
                self._remove(connection, rows, self._publish(broker, rows))
            return
        confirmed = self._publish(broker, rows)
        with database.write() as connection:
            self._remove(connection, rows, confirmed)

    def _publish(self, broker: BrokerConnection, rows: Sequence[Any]) -> frozenset[str]:
        return broker.publish([given_up_message(self._service, row) for row in rows]).confirmed if rows else frozenset()

    def _remove(self, connection: sa.Connection, rows: Sequence[Any], confirmed: frozenset[str]) -> None:
        for row in rows:
            if f"{row.source}/{row.id}" in confirmed:
                self._delivery.failures.remove(connection, row)
