"""Read the events out of an outbox as those who are told of them do."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from mft_common.events.envelope import Envelope
from mft_common.events.outbox_queries import envelopes

ROWS: Final = "SELECT id, type, subject, time, correlationid, position, data FROM outbox ORDER BY position"


class Row(NamedTuple):
    """What ROWS selects."""

    id: str
    type: str
    subject: str
    time: int
    correlationid: str
    position: int
    data: str


def told(source: str, rows: Iterable[Sequence[Any]]) -> list[Envelope[Any]]:
    """Return the envelopes of rows of the outbox of `source`, compounds taken apart."""
    return [envelope for row in rows for envelope in envelopes(source, Row(*row))]
