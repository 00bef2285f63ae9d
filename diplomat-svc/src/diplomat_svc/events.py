"""The events that this service publishes, and the handlers of those that it consumes."""

from typing import Any, Final

import sqlalchemy as sa

from mft_common.events import (
    AccountChanged,
    Envelope,
    Event,
    FileStored,
    Handlers,
    JobChanged,
    SessionClosed,
    TransferEnded,
    TransferProgressed,
    TransferStarted,
)

PUBLISHES: Final[tuple[type[Event], ...]] = (TransferStarted, TransferProgressed, TransferEnded, JobChanged)


def ignore(_connection: sa.Connection, _envelope: Envelope[Any]) -> None:
    """Do nothing: no transaction has a trigger yet, and nothing depends on a session."""


HANDLERS: Final[Handlers] = {
    FileStored: ignore,
    SessionClosed: ignore,
    AccountChanged: ignore,
}
