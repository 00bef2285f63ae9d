"""Take a service's messages in batches, hand them to its handlers, and acknowledge after the commit."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.database.transient import is_transient
from mft_common.errors import Unavailable
from mft_common.events.delivery import Delivery
from mft_common.events.envelope import Envelope, parse
from mft_common.events.errors import EventError
from mft_common.events.rabbit.dead import given_up_message, unreadable_message
from mft_common.events.rabbit.link import Delivered, Link, Settings

_BATCH: Final = 500
_PREFETCH: Final = 2 * _BATCH
_RETRY_EVERY_S: Final = 0.25
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


class Consumer:
    """Consumes the queue of one service; several consumers, in several processes, share the work.

    An event whose handler fails moves, in the transaction of its batch, to the service's own database and is tried
    again from there; given up, it goes to the dead letters. Only then are its messages acknowledged.
    """

    def __init__(self, settings: Settings, delivery: Delivery, now: clock.Clock) -> None:
        self._settings = settings
        self._delivery = delivery
        self._now = now
        self._service = delivery.service
        self._log = logs.get("events")

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set, connecting anew whenever the broker was away."""
        pause = _FIRST_PAUSE_S
        while not stop.is_set():
            try:
                name = f"{self._service}-consumer"
                with Link(self._settings, name, consume=self._service, prefetch=_PREFETCH) as link:
                    pause = _FIRST_PAUSE_S
                    self._drain(link, stop)
            except Unavailable as error:
                self._log.warning("consumer.waiting", service=self._service, error=str(error))
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _drain(self, link: Link, stop: threading.Event) -> None:
        retry_at = 0.0
        while not stop.is_set():
            if batch := self._next_batch(link):
                self._handle(link, batch, stop)
            if time.monotonic() >= retry_at:
                self._while_database_is_away(link, stop, lambda: self._retry(link))
                retry_at = time.monotonic() + _RETRY_EVERY_S

    @staticmethod
    def _next_batch(link: Link) -> list[Delivered]:
        batch: list[Delivered] = []
        try:
            while len(batch) < _BATCH:
                delivered = link.deliveries.get(block=not batch, timeout=None if batch else _RETRY_EVERY_S)
                if delivered is None:
                    raise Unavailable("the connection to RabbitMQ broke")
                batch.append(delivered)
        except queue.Empty:
            pass
        return batch

    def _handle(self, link: Link, batch: list[Delivered], stop: threading.Event) -> None:
        envelopes: list[Envelope[Any]] = []
        unreadable = []
        for delivered in batch:
            try:
                envelopes.append(parse(delivered.body))
            except EventError as error:
                unreadable.append(unreadable_message(self._service, delivered, str(error), self._now()))
        if unreadable:
            self._log.error("event.unreadable", service=self._service, count=len(unreadable))
            outcome = link.publish(unreadable)
            if len(outcome.confirmed) < len(unreadable):
                raise Unavailable("RabbitMQ did not take the dead letters")
        if self._while_database_is_away(link, stop, lambda: self._delivery.apply(envelopes)):
            link.ack(batch[-1].tag, multiple=True)

    def _retry(self, link: Link) -> None:
        self._delivery.retry_due()
        self._bury(link)

    def _bury(self, link: Link) -> None:
        database, failures = self._delivery.database, self._delivery.failures
        with database.read() as connection:
            rows = failures.given_up(connection, _BATCH)
        if not rows:
            return
        if database.dialect == "postgresql":
            # Locked until they are gone: another consumer would publish them too.
            with database.write() as connection:
                rows = failures.given_up(connection, _BATCH, lock=True)
                self._remove(connection, rows, self._publish(link, rows))
            return
        buried = self._publish(link, rows)
        with database.write() as connection:
            self._remove(connection, rows, buried)

    def _publish(self, link: Link, rows: Sequence[Any]) -> frozenset[str]:
        return link.publish([given_up_message(self._service, row) for row in rows]).confirmed if rows else frozenset()

    def _remove(self, connection: sa.Connection, rows: Sequence[Any], buried: frozenset[str]) -> None:
        for row in rows:
            if f"{row.source}/{row.id}" in buried:
                self._delivery.failures.remove(connection, row)

    def _while_database_is_away(self, link: Link, stop: threading.Event, action: Callable[[], None]) -> bool:
        """Do `action`, again and again while the database does not answer; False where there was no more point in it.

        The messages stay with this consumer meanwhile: giving them back would only count them as tried.
        """
        pause = _FIRST_PAUSE_S
        while True:
            try:
                action()
                return True
            except Exception as error:
                if not is_transient(error):
                    raise
                self._log.warning("events.database_away", service=self._service, error=str(error))
                if stop.wait(pause) or not link.alive:
                    return False
                pause = min(pause * 2, _LONGEST_PAUSE_S)
