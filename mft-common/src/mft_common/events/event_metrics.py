"""Count the events that a service has handled, and the transfers that ended by them."""

from collections.abc import Iterable
from typing import Any, Final

from prometheus_client import Counter, Histogram

from mft_common.events.catalogue import TransferEnded
from mft_common.events.envelope import Envelope
from mft_common.process.metrics import SECONDS_OF_WORK

EVENTS: Final = Counter("mft_events_handled_total", "Events handled, each once.", ["service", "type"])
TRANSFERS: Final = Counter("mft_transfers_total", "Transfers that ended, by their final state.", ["protocol", "state"])
TRANSFER_BYTES: Final = Counter("mft_transfer_bytes_total", "Bytes that ended transfers sent.", ["protocol"])
TRANSFER_SECONDS: Final = Histogram(
    "mft_transfer_seconds", "Seconds from a transfer's acceptance to its end.", ["protocol"], buckets=SECONDS_OF_WORK
)


def count(service: str, handled: Iterable[Envelope[Any]]) -> None:
    """Count envelopes whose effects are committed.

    One service consumes the ends of transfers, and the inbox lets it handle each once: so each counts once.
    """
    for envelope in handled:
        EVENTS.labels(service, envelope.type).inc()
        if isinstance(ended := envelope.data, TransferEnded):
            TRANSFERS.labels(ended.protocol, ended.state).inc()
            TRANSFER_BYTES.labels(ended.protocol).inc(ended.totals.bytes_sent)
            TRANSFER_SECONDS.labels(ended.protocol).observe(max(0, ended.ended_at - ended.submitted_at) / 1000)
