"""Write the events of a producer to its own database, in the transaction of the change that they report."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common import clock, logs
from mft_common import ids as identifiers
from mft_common.database.statements import Statement
from mft_common.events import tables
from mft_common.events.catalogue import Event
from mft_common.storable_text import storable

_COLUMNS: Final = ("id", "type", "subject", "time", "correlationid", "data")


class Outbox:
    """The outbox of the service `source`, as part of the service's own `metadata`."""

    def __init__(self, source: str, metadata: sa.MetaData, *, now: clock.Clock = clock.now_ms) -> None:
        self.source = source
        self.table = tables.outbox(metadata)
        self._now = now
        self._insert = Statement(self.table.insert(), _COLUMNS)

    def add(self, connection: sa.Connection, *events: Event) -> None:
        """Insert `events` in the caller's transaction, with the id of the current request as their correlation id.

        EventError where a consumer could not read one of them; nothing is inserted then. The envelope's `sequence`
        comes from the row's position. It grows for each subject, because the lock on the subject's own row makes its
        changes follow one another.
        """
        self.write(connection, self.rows(events, logs.request_id()))

    def rows(self, events: Iterable[Event], request_id: str) -> list[dict[str, Any]]:
        """Return the rows for `write`, which may be made before the transaction begins; EventError as above."""
        now, correlation = self._now(), request_id[:64]
        return [
            {
                "id": identifiers.new_event_id(),
                "type": event.TYPE,
                "subject": storable(event.subject()),
                "time": now,
                "correlationid": correlation,
                "data": event.to_json(),
            }
            for event in events
        ]

    def known(self, connection: sa.Connection, ids: Sequence[str]) -> set[str]:
        """Return which of `ids` have a row already: those of a transaction whose commit got no answer may have one."""
        if not ids:
            return set()
        return set(connection.execute(sa.select(self.table.c.id).where(self.table.c.id.in_(ids))).scalars())

    def write(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows in the caller's transaction."""
        if rows:
            self._insert.run_many(connection, rows)
