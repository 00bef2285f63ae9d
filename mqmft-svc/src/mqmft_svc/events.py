"""Bind the events of transfers to the record."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from mft_common.events import (
    BatchHandler,
    Envelope,
    Event,
    Handlers,
    TransferEnded,
    TransferProgressed,
    TransferStarted,
)
from mqmft_svc.operations import Operations
from mqmft_svc.schemas.events import change_of

PUBLISHES: Final[tuple[type[Event], ...]] = (TransferStarted, TransferProgressed, TransferEnded)


def record_transfers(connection: sa.Connection, envelopes: Sequence[Envelope[Any]], operations: Operations) -> None:
    """Record transfers that were accepted, progressed or ended."""
    operations.recorder.record(connection, [change_of(envelope) for envelope in envelopes])


HANDLERS: Final[Mapping[type[Event], Callable[..., None]]] = {
    TransferStarted: record_transfers,
    TransferProgressed: record_transfers,
    TransferEnded: record_transfers,
}


def handlers(operations: Operations) -> Handlers:
    """Return the handlers bound to `operations`; all events of transfers share one, so that a batch holds them all."""
    bound = {each: BatchHandler(partial(each, operations=operations)) for each in set(HANDLERS.values())}
    return {event: bound[handler] for event, handler in HANDLERS.items()}
