"""Hand events to a service's handlers: each effect once, and a failing event does not delay the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.backoff import pause_after
from mft_common.database import Database
from mft_common.database.transient import is_transient
from mft_common.events import event_metrics, outbox_rows
from mft_common.events.catalogue import Event
from mft_common.events.envelope import Envelope
from mft_common.events.errors import EventError
from mft_common.events.inbox import CursorMove, Failures, Inbox, Unreadable
from mft_common.storable_text import storable

Handler = Callable[[sa.Connection, Envelope[Any]], None]


@dataclass(frozen=True)
class BatchHandler:
    """A handler that takes many envelopes in one call, in any order, so that it may use one statement for all.

    Handlers that publish events of their own take one envelope at a time, so that theirs carry the id of the request
    that caused them.
    """

    handle: Callable[[sa.Connection, Sequence[Envelope[Any]]], None]


Handlers = Mapping[type[Event], Handler | BatchHandler]

_REASON_LENGTH: Final = 2_000
_RETRIES_AT_ONCE: Final = 50


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often a failing event is tried, and the pauses between tries: milliseconds, each four times the last."""

    attempts: int = 8
    first_pause: int = 200
    longest_pause: int = 300_000

    def next_try(self, failed: int, now: int) -> int | None:
        """Return the time of the next try after `failed` failures, or None when the attempts are used up."""
        if failed >= self.attempts:
            return None
        return now + pause_after(failed, self.first_pause, self.longest_pause, factor=4)


def reason_of(error: BaseException) -> str:
    """Return in one line why an event could not be handled."""
    return storable(f"{type(error).__name__}: {error}"[:_REASON_LENGTH])


class Delivery:
    """Runs the handlers of one service, `handlers[type(event)](connection, envelope)`, in the inbox's transaction.

    The envelopes for one `BatchHandler` are handed over at the end of their batch. A handler only changes the database
    through its connection: when one fails, the batch is rolled back and repeated with a savepoint for each event.
    """

    def __init__(
        self,
        service: str,
        database: Database,
        inbox: Inbox,
        handlers: Handlers,
        *,
        retries: RetryPolicy,
        now: clock.Clock = clock.now_ms,
    ) -> None:
        self.service = service
        self.database = database
        self.inbox = inbox
        self.failures = Failures(inbox)
        self._transaction = database.writer()
        self.types = frozenset(event.TYPE for event in handlers)
        self._handlers = {event.TYPE: handler for event, handler in handlers.items()}
        self._retries = retries
        self._now = now
        self._log = logs.get("events")

    def apply(
        self,
        envelopes: Sequence[Envelope[Any]],
        unreadable: Sequence[Unreadable] = (),
        cursor: CursorMove | None = None,
    ) -> bool:
        """Handle `envelopes`, keep `unreadable` for an operator and move the cursor, in one transaction.

        False where another worker has moved the cursor meanwhile; nothing has changed then. Unavailable where the
        database is away, with nothing changed. Events of failing handlers are kept and tried again later.
        """
        known = [envelope for envelope in envelopes if envelope.type in self._handlers]
        try:
            return self._apply(self._handle_all, known, unreadable, cursor)
        except Exception as error:
            if is_transient(error):
                raise
        return self._apply(self._handle_each, known, unreadable, cursor)

    def _apply(
        self,
        handle: Callable[[sa.Connection, Sequence[Envelope[Any]], list[Envelope[Any]]], None],
        envelopes: Sequence[Envelope[Any]],
        unreadable: Sequence[Unreadable],
        cursor: CursorMove | None,
    ) -> bool:
        handled: list[Envelope[Any]] = []
        with self._transaction() as connection:
            if cursor is not None and not self.inbox.move(connection, cursor):
                return False
            for each in unreadable:
                self._log.error("event.unreadable", service=self.service, event_id=each.id, reason=each.reason)
                self.failures.give_up(connection, each, self._now())
            handle(connection, envelopes, handled)
        event_metrics.count(self.service, handled)
        return True

    def _handle_all(
        self, connection: sa.Connection, envelopes: Sequence[Envelope[Any]], handled: list[Envelope[Any]]
    ) -> None:
        new = self.inbox.claim(connection, envelopes, self._now())
        batches: dict[BatchHandler, list[Envelope[Any]]] = {}
        for envelope in envelopes:
            if envelope.key in new:
                new.discard(envelope.key)
                handled.append(envelope)
                handler = self._handlers[envelope.type]
                if isinstance(handler, BatchHandler):
                    batches.setdefault(handler, []).append(envelope)
                else:
                    self._handle(connection, handler, envelope)
        for batch_handler, batch in batches.items():
            batch_handler.handle(connection, batch)

    def _handle_each(
        self, connection: sa.Connection, envelopes: Sequence[Envelope[Any]], handled: list[Envelope[Any]]
    ) -> None:
        for envelope in envelopes:
            if (error := self._attempt(connection, envelope, handled)) is not None:
                self._keep(connection, envelope, reason_of(error))

    def _attempt(
        self, connection: sa.Connection, envelope: Envelope[Any], handled: list[Envelope[Any]]
    ) -> Exception | None:
        try:
            with connection.begin_nested():
                new = self.inbox.claim(connection, (envelope,), self._now())
                if new:
                    self._handle(connection, self._handlers[envelope.type], envelope)
        except Exception as error:
            if is_transient(error):
                raise
            return error
        if new:
            handled.append(envelope)
        return None

    @staticmethod
    def _handle(connection: sa.Connection, handler: Handler | BatchHandler, envelope: Envelope[Any]) -> None:
        with logs.request_scope(envelope.correlationid):
            if isinstance(handler, BatchHandler):
                handler.handle(connection, (envelope,))
            else:
                handler(connection, envelope)

    def _keep(self, connection: sa.Connection, envelope: Envelope[Any], reason: str) -> None:
        """Keep an event whose handler failed for the first time, for the next try."""
        now = self._now()
        self._log.warning("event.failed", service=self.service, event_id=envelope.id, type=envelope.type, reason=reason)
        self.failures.add(connection, envelope, reason, now=now, next_try_at=self._retries.next_try(1, now))

    def retry_due(self) -> int:
        """Try the kept events that are due again, and return how many there were."""
        now = self._now()
        latest = now + self._retries.longest_pause
        if not self.database.query(lambda connection: self.failures.any_due(connection, now, latest)):
            return 0
        handled: list[Envelope[Any]] = []
        with self._transaction() as connection:
            rows = self.failures.due(connection, now, latest, _RETRIES_AT_ONCE)
            for row in rows:
                self._retry(connection, row, handled)
        event_metrics.count(self.service, handled)
        return len(rows)

    def _retry(self, connection: sa.Connection, row: Any, handled: list[Envelope[Any]]) -> None:
        error: Exception | None = None
        try:
            for envelope in outbox_rows.envelopes_of_body(row.body, self.types):
                error = error or self._attempt(connection, envelope, handled)
        except EventError as unreadable:
            error = unreadable
        if error is None:
            self.failures.remove(connection, row)
            return
        now, reason = self._now(), reason_of(error)
        next_try_at = self._retries.next_try(row.attempts + 1, now)
        self.failures.update(connection, row, reason=reason, next_try_at=next_try_at, now=now)
        if next_try_at is None:
            self._log.error("event.given_up", service=self.service, event_id=row.id, type=row.type, reason=reason)
