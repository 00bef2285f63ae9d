"""List every event that the services publish."""

from collections.abc import Mapping

from mft_common.events.catalogue.access import AccountChanged, SessionClosed, SessionOpened
from mft_common.events.catalogue.event import CompositeEvent, Event
from mft_common.events.catalogue.files import FileDeleted, FileDescribed, FileRead, FileStored
from mft_common.events.catalogue.transfers import TransferEnded, TransferProgressed, TransferStarted
from mft_common.events.catalogue.work import JobChanged, TaskChanged

__all__ = [
    "COMPOSITES",
    "EVENTS",
    "AccountChanged",
    "CompositeEvent",
    "Event",
    "FileDeleted",
    "FileDescribed",
    "FileRead",
    "FileStored",
    "JobChanged",
    "SessionClosed",
    "SessionOpened",
    "TaskChanged",
    "TransferEnded",
    "TransferProgressed",
    "TransferStarted",
    "register_composites",
]

EVENTS: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        FileStored,
        FileRead,
        FileDescribed,
        FileDeleted,
        TransferStarted,
        TransferProgressed,
        TransferEnded,
        JobChanged,
        TaskChanged,
        SessionOpened,
        SessionClosed,
        AccountChanged,
    )
}

# Rows of outboxes by their types: consumers are sent their parts and never the composite itself.
COMPOSITES: dict[str, type[CompositeEvent]] = {}


def register_composites(composites: Mapping[str, type[CompositeEvent]]) -> None:
    """Let this process read the rows of `composites`, by their types; the service that publishes them names them."""
    COMPOSITES.update(composites)
