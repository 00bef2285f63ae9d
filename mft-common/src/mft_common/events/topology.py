"""Define which service consumes which events; queues, bindings and cursors follow from this table."""

from collections.abc import Mapping
from typing import Final

from mft_common.events.catalogue import (
    AccountChanged,
    Event,
    FileStored,
    SessionClosed,
    TransferEnded,
    TransferProgressed,
    TransferStarted,
)

EXCHANGE: Final = "mft.events"

Topology = Mapping[str, tuple[type[Event], ...]]

CONSUMERS: Final[Topology] = {
    "mqmft-svc": (TransferStarted, TransferProgressed, TransferEnded),
    "diplomat-svc": (FileStored, SessionClosed, AccountChanged),
    "sertainty-svc": (FileStored, SessionClosed, AccountChanged),
}


def dead_queue(service: str) -> str:
    """Return the name of the dead-letter queue of `service`."""
    return f"{service}.dead"


def types_of(topology: Topology, service: str) -> frozenset[str]:
    """Return the event types that `service` consumes."""
    return frozenset(event.TYPE for event in topology.get(service, ()))


def consumed(topology: Topology) -> frozenset[str]:
    """Return the event types that have a consumer; messages of the others need not reach a queue."""
    return frozenset(event.TYPE for events in topology.values() for event in events)


def check(topology: Topology, service: str, handled: frozenset[type[Event]]) -> None:
    """Raise ValueError unless `service` has a handler for exactly the events that it consumes."""
    consumes = frozenset(topology.get(service, ()))
    if consumes != handled:
        names = ", ".join(sorted(event.TYPE for event in consumes ^ handled))
        raise ValueError(f"{service}: its handlers and mft_common.events.topology differ in {names}")
