"""Publish what a producer has committed, and mark it once the broker has confirmed it."""

import threading
from collections.abc import Collection, Sequence
from typing import Any, Final

import pika

from mft_common import clock, logs
from mft_common.database import Database
from mft_common.errors import Unavailable
from mft_common.events import outbox_queries, topology
from mft_common.events.changes import ChangeDetector
from mft_common.events.envelope import CONTENT_TYPE
from mft_common.events.errors import EventError
from mft_common.events.rabbit.batch import Message, Outcome
from mft_common.events.rabbit.link import Link, Settings

_BATCH: Final = 500
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_PERSISTENT: Final = 2


def messages_of(source: str, row: Any, mandatory: Collection[str]) -> Sequence[Message]:
    """Turn a row of the outbox into messages: an event's type is the routing key, its id the message id.

    Those of the types that are `mandatory` have to reach a queue.
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
        for each in outbox_queries.rendered(source, row)
    ]


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
                with Link(self._settings, f"{self._source}-relay") as link, ChangeDetector(self._database) as watch:
                    pause = _FIRST_PAUSE_S
                    self._pump(link, watch, stop)
            except Unavailable as error:
                self._log.warning("relay.waiting", source=self._source, error=str(error))
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _pump(self, link: Link, watch: ChangeDetector, stop: threading.Event) -> None:
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
        """Publish what the rows tell; an outcome's keys are those of rows, each with all of its messages."""
        if not rows:
            return None
        messages: list[Message] = []
        keys: dict[str, list[str]] = {}
        unreadable = set()
        for row in rows:
            try:
                told = messages_of(self._source, row, self._mandatory)
            except EventError as error:
                # A newer program may have written it, and may be the one that relays it.
                self._log.error("event.unreadable", source=self._source, event_id=row.id, reason=str(error))
                unreadable.add(row.id)
            else:
                messages += told
                keys[row.id] = [message.key for message in told]
        outcome = link.publish(messages) if messages else Outcome(frozenset(), frozenset(), complete=True)
        refused = {row for row, told in keys.items() if not outcome.refused.isdisjoint(told)}
        confirmed = {row for row, told in keys.items() if outcome.confirmed.issuperset(told)}
        return Outcome(frozenset(confirmed), frozenset(refused), outcome.complete, frozenset(unreadable))

    def _mark(self, connection: Any, rows: Sequence[Any], outcome: Outcome) -> None:
        outbox_queries.mark_published(connection, [row.position for row in rows if row.id in outcome.confirmed])
        later = outcome.refused | outcome.unreadable
        outbox_queries.postpone(connection, [row for row in rows if row.id in later], self._now())
