"""List the events that the gateway tells, and those it acts on."""

from collections.abc import Callable
from typing import Any, Final

from mft_common.events.catalogue import AccountChanged, Event, SessionClosed, SessionOpened

PUBLISHES: Final[tuple[type[Event], ...]] = (SessionOpened, SessionClosed, AccountChanged)
HANDLERS: Final[dict[type[Event], Callable[..., Any]]] = {}
