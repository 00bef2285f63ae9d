"""Read the events of an outbox as its consumers do."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from filestore_svc.events import COMPOSITES
from mft_common.events.catalogue import register_composites
from mft_common.events.envelope import Envelope
from mft_common.events.outbox_rows import envelopes

# A test that reads the outbox of a running hub builds no service, which would register its composites.
register_composites(COMPOSITES)

ROWS: Final = "SELECT id, type, subject, time, correlationid, position, data FROM outbox ORDER BY position"


class Row(NamedTuple):
    """A row of the result of ROWS."""

    id: str
    type: str
    subject: str
    time: int
    correlationid: str
    position: int
    data: str


def read_events(source: str, rows: Iterable[Sequence[Any]]) -> list[Envelope[Any]]:
    """Return the envelopes of rows of the outbox of `source`, with composites expanded."""
    return [envelope for row in rows for envelope in envelopes(source, Row(*row))]
