"""The events that the gateway publishes, and those that it handles."""

from collections.abc import Callable
from typing import Any, Final

from mft_common.events.catalogue import AccountChanged, Event, SessionClosed, SessionOpened

PUBLISHES: Final[tuple[type[Event], ...]] = (SessionOpened, SessionClosed, AccountChanged)
HANDLERS: Final[dict[type[Event], Callable[..., Any]]] = {}
