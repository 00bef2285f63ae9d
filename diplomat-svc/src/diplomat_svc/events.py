"""The events that this service publishes, and the handlers of those that it consumes."""

from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.operations.starting import Starter
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
from mft_common.joblog import Views

PUBLISHES: Final[tuple[type[Event], ...]] = (TransferStarted, TransferProgressed, TransferEnded, JobChanged)


def ignore(_connection: sa.Connection, _envelope: Envelope[Any]) -> None:
    """Do nothing: sessions end with their accounts' changes by themselves."""


def handlers(views: Views, starter: Starter) -> Handlers:
    """Return the handlers; a session that ends takes its log views with it (A55), a stored file may start jobs."""

    def session_closed(connection: sa.Connection, envelope: Envelope[SessionClosed]) -> None:
        views.remove_of(connection, envelope.data.public_id)

    return {FileStored: starter.file_stored, SessionClosed: session_closed, AccountChanged: ignore}
