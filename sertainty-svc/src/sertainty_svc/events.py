"""Name the events that this service publishes, and bind those of others that it consumes."""

from typing import Any, Final

import sqlalchemy as sa

from mft_common.events import (
    AccountChanged,
    BatchHandler,
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
from sertainty_svc.operations.arrivals import Arrivals
from sertainty_svc.operations.session_log import session_closed

PUBLISHES: Final[tuple[type[Event], ...]] = (TransferStarted, TransferProgressed, TransferEnded, TaskChanged)


def ignore(_connection: sa.Connection, _envelope: Envelope[Any]) -> None:
    """Do nothing: the gateway ends the sessions of an account that changes, and its tasks are the agent's."""


def handlers(arrivals: Arrivals) -> Handlers:
    """Return the handlers: stored files wake tasks, and the end of a session is in the agent's log."""
    return {FileStored: BatchHandler(arrivals.files_stored), SessionClosed: session_closed, AccountChanged: ignore}
