"""Say who is told what: one table, from which queues, bindings and cursors are made."""

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
    """Name the queue that holds what `service` could not handle."""
    return f"{service}.dead"


def types_of(topology: Topology, service: str) -> frozenset[str]:
    """Return the event types that `service` is told of."""
    return frozenset(event.TYPE for event in topology.get(service, ()))


def consumed(topology: Topology) -> frozenset[str]:
    """Return the event types that anybody is told of; the others may go nowhere."""
    return frozenset(event.TYPE for events in topology.values() for event in events)


def check(topology: Topology, service: str, handled: frozenset[type[Event]]) -> None:
    """Raise ValueError unless `service` handles exactly what it is told of: the rest would be lost or never come."""
    told = frozenset(topology.get(service, ()))
    if told != handled:
        names = ", ".join(sorted(event.TYPE for event in told ^ handled))
        raise ValueError(f"{service}: its handlers and mft_common.events.topology differ in {names}")
