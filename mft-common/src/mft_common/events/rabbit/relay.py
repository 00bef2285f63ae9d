"""Publish the outbox of a producer, and mark each row once the broker has confirmed it."""

import threading
from collections.abc import Collection, Sequence
from typing import Any, Final

import pika

from mft_common import clock, logs
from mft_common.backoff import Backoff
from mft_common.database import Database
from mft_common.errors import Unavailable
from mft_common.events import outbox_rows, relay_queue, topology
from mft_common.events.change_detector import ChangeDetector
from mft_common.events.envelope import CONTENT_TYPE
from mft_common.events.errors import EventError
from mft_common.events.rabbit.broker_connection import BrokerConnection, Settings
from mft_common.events.rabbit.publish_batch import Message, Outcome

_BATCH: Final = 500
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_PERSISTENT: Final = 2


def messages_of(source: str, row: Any, mandatory: Collection[str]) -> Sequence[Message]:
    """Return the messages of an outbox row: an event's type is the routing key, its id the message id.

    Messages of the types in `mandatory` must reach a queue.
    """
    return [
        Message(
            key=each.id,
            exchange=topology.EXCHANGE,
            routing_key=each.type,
            body=each.body.encode(),
            properties=pika.BasicProperties(
                content_type=CONTENT_TYPE,
                delivery_mode=_PERSISTENT,
                message_id=each.id,
                type=each.type,
                app_id=source,
                timestamp=row.time // 1000,
                correlation_id=row.correlationid or None,
            ),
            mandatory=each.type in mandatory,
        )
        for each in outbox_rows.rendered(source, row)
    ]


class Relay:
    """Publishes the outbox of `source` to RabbitMQ; on PostgreSQL several relays may share one.

    A row is marked after the broker's confirm, so that a relay which dies in between publishes it twice. Rows that the
    broker returns or refuses wait, longer each time, while the others are published.
    """

    def __init__(self, settings: Settings, source: str, database: Database, now: clock.Clock) -> None:
        self._settings = settings
        self._source = source
        self._database = database
        self._now = now
        self._mandatory = topology.consumed(settings.topology)
        self._log = logs.get("events")

    def run(self, stop: threading.Event) -> None:
        """Relay until `stop` is set, and connect anew where the connection is lost."""
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while not stop.is_set():
            try:
                name = f"{self._source}-relay"
                with BrokerConnection(self._settings, name) as broker, ChangeDetector(self._database) as detector:
                    backoff.reset()
                    self._relay(broker, detector, stop)
            except Unavailable as error:
                self._log.warning("relay.waiting", source=self._source, error=str(error))
                stop.wait(backoff.pause())

    def _relay(self, broker: BrokerConnection, detector: ChangeDetector, stop: threading.Event) -> None:
        detector.changed()
        while not stop.is_set():
            if not broker.alive:
                raise Unavailable("the connection to RabbitMQ was lost")
            if self._relay_batch(broker) < _BATCH:
                detector.wait(stop)

    def _relay_batch(self, broker: BrokerConnection) -> int:
        if self._database.dialect == "postgresql":
            # Rows stay locked until they are marked; the locks of a relay that dies end with its connection.
            with self._database.write() as connection:
                rows = relay_queue.fetch_unpublished(connection, self._now(), _BATCH)
                outcome = self._publish(broker, rows)
                if outcome is not None:
                    self._mark(connection, rows, outcome)
        else:
            # SQLite has one writer, which must not wait for the broker.
            with self._database.read() as connection:
                rows = relay_queue.fetch_unpublished(connection, self._now(), _BATCH)
            outcome = self._publish(broker, rows)
            if outcome is not None:
                with self._database.write() as connection:
                    self._mark(connection, rows, outcome)
        if outcome is not None and not outcome.complete:
            raise Unavailable("RabbitMQ did not confirm")
        if outcome is not None and outcome.refused:
            # A queue may have been deleted: a new connection declares it again.
            raise Unavailable(f"RabbitMQ returned or refused {len(outcome.refused)} events")
        return len(rows)

    def _publish(self, broker: BrokerConnection, rows: Sequence[Any]) -> Outcome | None:
        """Publish the rows; the keys of the outcome are the rows' ids. A row is confirmed with all of its messages."""
        if not rows:
            return None
        messages: list[Message] = []
        keys: dict[str, list[str]] = {}
        unreadable = set()
        for row in rows:
            try:
                made = messages_of(self._source, row, self._mandatory)
            except EventError as error:
                # A newer program may have written it, and may relay it.
                self._log.error("event.unreadable", source=self._source, event_id=row.id, reason=str(error))
                unreadable.add(row.id)
            else:
                messages += made
                keys[row.id] = [message.key for message in made]
        outcome = broker.publish(messages) if messages else Outcome(frozenset(), frozenset(), complete=True)
        refused = {row for row, own in keys.items() if not outcome.refused.isdisjoint(own)}
        confirmed = {row for row, own in keys.items() if outcome.confirmed.issuperset(own)}
        return Outcome(frozenset(confirmed), frozenset(refused), outcome.complete, frozenset(unreadable))

    def _mark(self, connection: Any, rows: Sequence[Any], outcome: Outcome) -> None:
        relay_queue.mark_published(connection, [row.position for row in rows if row.id in outcome.confirmed])
        later = outcome.refused | outcome.unreadable
        relay_queue.postpone(connection, [row for row in rows if row.id in later], self._now())
