"""Take in what other services tell: nothing is kept of it yet, so that each event is noted and done with."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from mft_common.events import AccountChanged, Envelope, Event, FileStored, Handlers, SessionClosed
from sertainty_svc.operations import Operations

PUBLISHES: Final[tuple[type[Event], ...]] = ()


def noted(_connection: sa.Connection, envelope: Envelope[Any], operations: Operations) -> None:
    """Something happened that a task may wait for."""
    operations.note(envelope.type, envelope.subject)


HANDLERS: Final[Mapping[type[Event], Callable[..., None]]] = {
    FileStored: noted,
    SessionClosed: noted,
    AccountChanged: noted,
}


def handlers(operations: Operations) -> Handlers:
    """Bind the handlers to the operations that they call."""
    return {event: partial(handler, operations=operations) for event, handler in HANDLERS.items()}
