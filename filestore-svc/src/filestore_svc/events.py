"""List the events that filestore-svc publishes, and those that it consumes."""

from collections.abc import Callable
from typing import Any, Final

from filestore_svc.domain.client_transfers import DownloadCompleted, UploadCompleted
from mft_common.events.catalogue import (
    CompositeEvent,
    Event,
    FileDeleted,
    FileDescribed,
    FileRead,
    FileStored,
    TransferEnded,
    TransferStarted,
)

PUBLISHES: Final[tuple[type[Event], ...]] = (
    FileStored,
    FileRead,
    FileDescribed,
    FileDeleted,
    TransferStarted,
    TransferEnded,
)

# The composites of its outbox by the types of their rows, of which the last two are those of earlier programs.
COMPOSITES: Final[dict[str, type[CompositeEvent]]] = {
    UploadCompleted.TYPE: UploadCompleted,
    DownloadCompleted.TYPE: DownloadCompleted,
    "whole.upload.v1": UploadCompleted,
    "whole.download.v1": DownloadCompleted,
}

# It consumes no events: other services ask it for files.
HANDLERS: Final[dict[type[Event], Callable[..., Any]]] = {}
