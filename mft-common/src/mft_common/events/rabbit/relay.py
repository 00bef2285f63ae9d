"""Publish what a producer has committed, and mark it once the broker has confirmed it."""

import threading
from collections.abc import Sequence
from typing import Any, Final

import pika

from mft_common import clock, logs
from mft_common.database import Database
from mft_common.errors import Unavailable
from mft_common.events import outbox_queries, topology
from mft_common.events.envelope import CONTENT_TYPE
from mft_common.events.rabbit.batch import Message, Outcome
from mft_common.events.rabbit.link import Link, Settings
from mft_common.events.watch import Watch

_BATCH: Final = 500
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_PERSISTENT: Final = 2


def message_of(source: str, row: Any, *, mandatory: bool) -> Message:
    """Turn a row of the outbox into a message: the type is the routing key, the id the message id."""
    properties = pika.BasicProperties(
        content_type=CONTENT_TYPE,
        delivery_mode=_PERSISTENT,
        message_id=row.id,
        type=row.type,
        app_id=source,
        timestamp=row.time // 1000,
        correlation_id=row.correlationid or None,
    )
    body = outbox_queries.envelope_json(source, row).encode()
    return Message(
        key=row.id,
        exchange=topology.EXCHANGE,
        routing_key=row.type,
        body=body,
        properties=properties,
        mandatory=mandatory,
    )


class Relay:
    """Empties the outbox of `source` into RabbitMQ; several may share one on PostgreSQL.

    An event is marked after the confirm and never before, so one that was published by a relay which died just then is
    published twice. What the broker returns or refuses waits, longer each time, and the rest goes on.
    """

    def __init__(self, settings: Settings, source: str, database: Database, now: clock.Clock) -> None:
        self._settings = settings
        self._source = source
        self._database = database
        self._now = now
        self._mandatory = topology.consumed(settings.topology)
        self._log = logs.get("events")

    def run(self, stop: threading.Event) -> None:
        """Relay until `stop` is set, connecting anew whenever the broker was away."""
        pause = _FIRST_PAUSE_S
        while not stop.is_set():
            try:
                with Link(self._settings, f"{self._source}-relay") as link, Watch(self._database) as watch:
                    pause = _FIRST_PAUSE_S
                    self._pump(link, watch, stop)
            except Unavailable as error:
                self._log.warning("relay.waiting", source=self._source, error=str(error))
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _pump(self, link: Link, watch: Watch, stop: threading.Event) -> None:
        watch.changed()
        while not stop.is_set():
            if not link.alive:
                raise Unavailable("the connection to RabbitMQ broke")
            if self._once(link) < _BATCH:
                watch.wait(stop)

    def _once(self, link: Link) -> int:
        if self._database.dialect == "postgresql":
            # Rows stay locked until they are marked; a relay that dies lets go of them with its connection.
            with self._database.write() as connection:
                rows = outbox_queries.waiting(connection, self._now(), _BATCH)
                outcome = self._publish(link, rows)
                if outcome is not None:
                    self._mark(connection, rows, outcome)
        else:
            # SQLite has one writer: the lock is not held while the broker thinks.
            with self._database.read() as connection:
                rows = outbox_queries.waiting(connection, self._now(), _BATCH)
            outcome = self._publish(link, rows)
            if outcome is not None:
                with self._database.write() as connection:
                    self._mark(connection, rows, outcome)
        if outcome is not None and not outcome.complete:
            raise Unavailable("RabbitMQ did not confirm")
        if outcome is not None and outcome.refused:
            # Somebody may have deleted a queue: a new connection declares it again.
            raise Unavailable(f"RabbitMQ returned or refused {len(outcome.refused)} events")
        return len(rows)

    def _publish(self, link: Link, rows: Sequence[Any]) -> Outcome | None:
        if not rows:
            return None
        return link.publish([message_of(self._source, row, mandatory=row.type in self._mandatory) for row in rows])

    def _mark(self, connection: Any, rows: Sequence[Any], outcome: Outcome) -> None:
        outbox_queries.mark_published(connection, [row.position for row in rows if row.id in outcome.confirmed])
        outbox_queries.postpone(connection, [row for row in rows if row.id in outcome.refused], self._now())
