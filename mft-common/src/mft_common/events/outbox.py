"""Keep the events of a producer in its own database, written in the transaction of the change that they tell of."""

import sqlalchemy as sa

from mft_common import clock, ids, logs
from mft_common.events import tables
from mft_common.events.catalogue import Event
from mft_common.events.catalogue.fields import storable
from mft_common.events.envelope import dump_data


class Outbox:
    """The outbox of the service `source`, as part of the service's own `metadata`."""

    def __init__(self, source: str, metadata: sa.MetaData, *, now: clock.Clock = clock.now_ms) -> None:
        self.source = source
        self.table = tables.outbox(metadata)
        self._now = now
        # Inline: nobody asks for the new position, so PostgreSQL need not send it.
        self._insert = self.table.insert().inline()

    def add(self, connection: sa.Connection, *events: Event) -> None:
        """Write `events` in the caller's transaction, with the id of the request at hand as their correlation id.

        EventError where a consumer could not read one of them; nothing is written then. The position that the database
        gives out becomes the envelope's `sequence`: it grows for each subject as long as changes of one subject are
        made one after another, which the lock of the subject's own row sees to.
        """
        if not events:
            return
        now, correlation = self._now(), logs.request_id()[:64]
        rows = [
            {
                "id": ids.new_event_id(),
                "type": event.TYPE,
                "subject": storable(event.subject()),
                "time": now,
                "correlationid": correlation,
                "data": dump_data(event),
            }
            for event in events
        ]
        connection.execute(self._insert, rows)
