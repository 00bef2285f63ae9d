"""Consume the events of other services; no task waits for one yet, so each is only logged."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from mft_common.events import (
    AccountChanged,
    Envelope,
    Event,
    FileStored,
    Handlers,
    SessionClosed,
    TaskChanged,
    TransferEnded,
    TransferProgressed,
    TransferStarted,
)
from sertainty_svc.operations import Operations

PUBLISHES: Final[tuple[type[Event], ...]] = (TransferStarted, TransferProgressed, TransferEnded, TaskChanged)


def note_event(_connection: sa.Connection, envelope: Envelope[Any], operations: Operations) -> None:
    """Pass on an event that a task may wait for."""
    operations.note(envelope.type, envelope.subject)


HANDLERS: Final[Mapping[type[Event], Callable[..., None]]] = {
    FileStored: note_event,
    SessionClosed: note_event,
    AccountChanged: note_event,
}


def handlers(operations: Operations) -> Handlers:
    """Return the handlers bound to `operations`."""
    return {event: partial(handler, operations=operations) for event, handler in HANDLERS.items()}
