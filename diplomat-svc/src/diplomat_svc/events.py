"""Say what this service tells and what it is told."""

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


def nothing_follows(_connection: sa.Connection, _envelope: Envelope[Any]) -> None:
    """Take note: no transaction has a trigger yet, and no session holds anything that must end with it."""


HANDLERS: Final[Handlers] = {
    FileStored: nothing_follows,
    SessionClosed: nothing_follows,
    AccountChanged: nothing_follows,
}
