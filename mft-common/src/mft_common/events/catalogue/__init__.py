"""List every event that the services tell one another."""

from mft_common.events.catalogue.access import AccountChanged, SessionClosed, SessionOpened
from mft_common.events.catalogue.base import Compound, Event
from mft_common.events.catalogue.files import FileDeleted, FileDescribed, FileRead, FileStored
from mft_common.events.catalogue.moves import WholeDownload, WholeUpload
from mft_common.events.catalogue.transfers import TransferEnded, TransferProgressed, TransferStarted
from mft_common.events.catalogue.work import JobChanged, TaskChanged

__all__ = [
    "COMPOUNDS",
    "EVENTS",
    "AccountChanged",
    "Compound",
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
    "WholeDownload",
    "WholeUpload",
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

# What only outboxes know: no consumer is told of these, but of their parts.
COMPOUNDS: dict[str, type[Compound]] = {compound.TYPE: compound for compound in (WholeUpload, WholeDownload)}
