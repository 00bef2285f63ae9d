"""Hand events to a service's handlers, each effect once, and keep one that fails from holding up the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common.database import Database
from mft_common.database.transient import is_transient
from mft_common.events import outbox_queries
from mft_common.events.catalogue import Event
from mft_common.events.catalogue.fields import storable
from mft_common.events.envelope import Envelope
from mft_common.events.errors import EventError
from mft_common.events.inbox import Failures, Inbox

Handler = Callable[[sa.Connection, Envelope[Any]], None]


@dataclass(frozen=True)
class BatchHandler:
    """A handler that takes many envelopes in one call, whatever their order: a statement for all costs as one for each.

    Work that one event asks for, and that tells events of its own, is done one by one instead, so that it carries the
    id of the request that caused it.
    """

    handle: Callable[[sa.Connection, Sequence[Envelope[Any]]], None]


Handlers = Mapping[type[Event], Handler | BatchHandler]
Advance = Callable[[sa.Connection], bool]

_REASON_LENGTH: Final = 2_000
_RETRIES_AT_ONCE: Final = 50


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often a failing handler is tried, and the pauses between: milliseconds, four times as long each time."""

    attempts: int = 8
    first_pause: int = 200
    longest_pause: int = 300_000

    def next_try(self, failed: int, now: int) -> int | None:
        """Return when to try again after `failed` failures, or None when it is enough."""
        if failed >= self.attempts:
            return None
        return now + min(self.first_pause * int(4 ** (failed - 1)), self.longest_pause)


class OvertakenError(Exception):
    """Another worker has handled this batch meanwhile."""


def reason_of(error: BaseException) -> str:
    """Say in one line why an event could not be handled."""
    return storable(f"{type(error).__name__}: {error}"[:_REASON_LENGTH])


class Delivery:
    """Runs the handlers of one service: `handlers[type(event)](connection, envelope)`, in the inbox's transaction.

    What goes to one `Together` is handed over at the end of its batch.

    A handler does nothing but change the database through its connection: a batch of which one handler fails is rolled
    back and done again, then with a savepoint for each event.
    """

    def __init__(
        self,
        service: str,
        database: Database,
        inbox: Inbox,
        handlers: Handlers,
        *,
        patience: RetryPolicy,
        now: clock.Clock = clock.now_ms,
    ) -> None:
        self.service = service
        self.database = database
        self.inbox = inbox
        self.failures = Failures(inbox)
        self._transaction = database.writer()
        self.types = frozenset(event.TYPE for event in handlers)
        self._handlers = {event.TYPE: handler for event, handler in handlers.items()}
        self._patience = patience
        self._now = now
        self._log = logs.get("events")

    def apply(self, envelopes: Sequence[Envelope[Any]], advance: Advance | None = None) -> None:
        """Handle a batch in one transaction; `advance` moves the cursor in it, and False from it means OvertakenError.

        A database that is away raises, with nothing changed. Failing handlers do not raise: their events are kept.
        """
        known = [envelope for envelope in envelopes if envelope.type in self._handlers]
        try:
            self._together(known, advance)
        except OvertakenError:
            raise
        except Exception as error:
            if is_transient(error):
                raise
            self._one_by_one(known, advance)

    def _together(self, envelopes: Sequence[Envelope[Any]], advance: Advance | None) -> None:
        with self._transaction() as connection:
            self._advance(connection, advance)
            new = self.inbox.claim(connection, envelopes, self._now())
            groups: dict[BatchHandler, list[Envelope[Any]]] = {}
            for envelope in envelopes:
                if envelope.key in new:
                    new.discard(envelope.key)
                    handler = self._handlers[envelope.type]
                    if isinstance(handler, BatchHandler):
                        groups.setdefault(handler, []).append(envelope)
                    else:
                        self._handle(connection, handler, envelope)
            for together, group in groups.items():
                together.handle(connection, group)

    def _one_by_one(self, envelopes: Sequence[Envelope[Any]], advance: Advance | None) -> None:
        with self._transaction() as connection:
            self._advance(connection, advance)
            for envelope in envelopes:
                if (error := self._attempt(connection, envelope)) is not None:
                    self.keep(connection, envelope, reason_of(error))

    def _attempt(self, connection: sa.Connection, envelope: Envelope[Any]) -> Exception | None:
        try:
            with connection.begin_nested():
                if self.inbox.claim(connection, (envelope,), self._now()):
                    self._handle(connection, self._handlers[envelope.type], envelope)
        except Exception as error:
            if is_transient(error):
                raise
            return error
        return None

    @staticmethod
    def _handle(connection: sa.Connection, handler: Handler | BatchHandler, envelope: Envelope[Any]) -> None:
        with logs.request_scope(envelope.correlationid):
            if isinstance(handler, BatchHandler):
                handler.handle(connection, (envelope,))
            else:
                handler(connection, envelope)

    @staticmethod
    def _advance(connection: sa.Connection, advance: Advance | None) -> None:
        if advance is not None and not advance(connection):
            raise OvertakenError

    def keep(self, connection: sa.Connection, envelope: Envelope[Any], reason: str) -> None:
        """Keep an event whose handler failed for the first time."""
        now = self._now()
        self._log.warning("event.failed", service=self.service, event_id=envelope.id, type=envelope.type, reason=reason)
        self.failures.add(
            connection,
            {
                "source": envelope.source,
                "id": envelope.id,
                "type": envelope.type,
                "subject": envelope.subject,
                "body": envelope.to_json(),
                "reason": reason,
                "attempts": 1,
                "failed_at": now,
                "next_try_at": self._patience.next_try(1, now),
            },
        )

    def keep_unreadable(self, connection: sa.Connection, row: Mapping[str, Any], body: str, reason: str) -> None:
        """Give up an event that cannot be read at all; `row` holds its source, id, type and subject."""
        self._log.error("event.unreadable", service=self.service, event_id=row["id"], reason=reason)
        values = {**row, "body": body, "reason": reason, "attempts": 1, "failed_at": self._now(), "next_try_at": None}
        self.failures.add(connection, values)

    def retry_due(self) -> int:
        """Try again what is due, and return how many events that were."""
        if not self.database.query(lambda look: self.failures.any_due(look, self._now())):
            return 0
        with self._transaction() as connection:
            rows = self.failures.due(connection, self._now(), _RETRIES_AT_ONCE)
            for row in rows:
                self._retry(connection, row)
        return len(rows)

    def _retry(self, connection: sa.Connection, row: Any) -> None:
        error: Exception | None = None
        try:
            for envelope in outbox_queries.envelopes_again(row.body, self.types):
                error = error or self._attempt(connection, envelope)
        except EventError as unreadable:
            error = unreadable
        if error is None:
            self.failures.remove(connection, row)
            return
        now, reason = self._now(), reason_of(error)
        next_try_at = self._patience.next_try(row.attempts + 1, now)
        self.failures.again(connection, row, reason=reason, next_try_at=next_try_at, now=now)
        if next_try_at is None:
            self._log.error("event.given_up", service=self.service, event_id=row.id, type=row.type, reason=reason)
