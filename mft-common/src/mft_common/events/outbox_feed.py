"""Follow one producer's outbox for one consumer, batch by batch."""

from collections.abc import Sequence
from typing import Any, Final, Self

from mft_common.database import Database
from mft_common.events import outbox_rows
from mft_common.events.change_detector import ChangeDetector
from mft_common.events.delivery import Delivery
from mft_common.events.envelope import Envelope
from mft_common.events.errors import EventError
from mft_common.events.inbox import CursorMove, Unreadable
from mft_common.events.outbox_reader import Cursor, FetchedRow, OutboxReader

# One transaction of this many events holds SQLite's write lock for some milliseconds.
_BATCH: Final = 200


class OutboxFeed:
    """The outbox of `source` as `delivery`'s service reads it; a context manager, used by one thread.

    `handled` is the number of events in the last batch, `pause` the time in seconds between two calls of `changed`.
    """

    def __init__(self, source: str, producer: Database, delivery: Delivery) -> None:
        self.handled = 0
        self._source = source
        self._producer = producer
        self._delivery = delivery
        self._reader = OutboxReader(delivery.types)
        self._detector = ChangeDetector(producer)
        self.pause = self._detector.pause
        # How far this feed has read. It is ahead of the stored cursor where only rows of other consumers followed.
        self._cursor: Cursor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._detector.close()

    def changed(self) -> bool:
        """Return whether the outbox may hold new rows."""
        return self._detector.changed()

    def step(self) -> bool:
        """Handle the next batch; True where there may be more rows."""
        old = self._stored_cursor() if self._cursor is None else self._cursor
        rows = self._producer.query(lambda connection: self._reader.fetch(connection, old, _BATCH))
        self.handled = 0
        if not rows:
            self._cursor = old
            return False
        new = Cursor(rows[-1].tx, rows[-1].position)
        envelopes, unreadable = self._read([row for row in rows if row.data])
        if envelopes or unreadable or len(rows) == _BATCH:
            self._apply(envelopes, unreadable, new)
            self.handled = len(envelopes)
        else:
            # No row is for this consumer: the cursor moves in memory, and is stored with the next row that is.
            self._cursor = new
        return len(rows) == _BATCH

    def _apply(self, envelopes: Sequence[Envelope[Any]], unreadable: Sequence[Unreadable], new: Cursor) -> None:
        stored = self._stored_cursor()
        # Read again from the stored cursor after an error, and where another worker has read further.
        self._cursor = None
        if stored <= new and self._delivery.apply(envelopes, unreadable, CursorMove(self._source, stored, new)):
            self._cursor = new

    def _read(self, rows: Sequence[FetchedRow]) -> tuple[list[Envelope[Any]], list[Unreadable]]:
        envelopes: list[Envelope[Any]] = []
        unreadable: list[Unreadable] = []
        for row in rows:
            try:
                envelopes += outbox_rows.envelopes(self._source, row, self._delivery.types)
            except EventError as error:
                body = outbox_rows.rendered_unread(self._source, row)
                unreadable.append(Unreadable(self._source, row.id, row.type, row.subject, body, str(error)))
        return envelopes, unreadable

    def _stored_cursor(self) -> Cursor:
        return self._delivery.database.query(lambda connection: self._delivery.inbox.cursor(connection, self._source))
