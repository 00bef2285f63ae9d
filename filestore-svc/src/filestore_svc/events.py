"""List the events that filestore-svc tells, and those that it acts on."""

from collections.abc import Callable
from typing import Any, Final

from mft_common.events.catalogue import (
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

# It acts on nothing: whoever wants a file asks for it.
HANDLERS: Final[dict[type[Event], Callable[..., Any]]] = {}
