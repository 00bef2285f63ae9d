"""List every event that the services publish."""

from mft_common.events.catalogue.access import AccountChanged, SessionClosed, SessionOpened
from mft_common.events.catalogue.client_transfers import DownloadCompleted, UploadCompleted
from mft_common.events.catalogue.event import CompositeEvent, Event
from mft_common.events.catalogue.files import FileDeleted, FileDescribed, FileRead, FileStored
from mft_common.events.catalogue.transfers import TransferEnded, TransferProgressed, TransferStarted
from mft_common.events.catalogue.work import JobChanged, TaskChanged

__all__ = [
    "COMPOSITES",
    "EVENTS",
    "AccountChanged",
    "CompositeEvent",
    "DownloadCompleted",
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
    "UploadCompleted",
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

# Rows of outboxes: consumers are sent their parts and never the composite itself.
COMPOSITES: dict[str, type[CompositeEvent]] = {
    composite.TYPE: composite for composite in (UploadCompleted, DownloadCompleted)
}
# The types that rows of earlier programs have: such rows are still read.
COMPOSITES |= {"whole.upload.v1": UploadCompleted, "whole.download.v1": DownloadCompleted}
