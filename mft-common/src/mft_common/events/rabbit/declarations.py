"""Declare the exchange, queues and bindings of a topology; publishers and consumers do it when they connect."""

from typing import Any, Final

from mft_common.events.topology import EXCHANGE, Topology, dead_queue

# A message that ends its consumer's process this many times is moved to the dead letters by the broker.
_DELIVERY_LIMIT: Final = 50
# Each listing of dead letters takes and returns them, which counts as a delivery. RabbitMQ's own limit would drop them.
_NO_LIMIT: Final = 1_000_000_000


def queue_arguments(service: str) -> dict[str, Any]:
    """Return the arguments of the queue that `service` consumes; every declaration must have the same ones."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": _DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead_queue(service),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def dead_arguments() -> dict[str, Any]:
    """Return the arguments of a dead-letter queue."""
    return {"x-queue-type": "quorum", "x-delivery-limit": _NO_LIMIT}


def declare_dead_queue(channel: Any, name: str) -> None:
    """Declare the dead-letter queue of a service, or of another queue, by its name."""
    channel.queue_declare(dead_queue(name), durable=True, arguments=dead_arguments())


def declare(channel: Any, topology: Topology) -> None:
    """Declare everything on a channel of a blocking or of an asynchronous connection; the broker answers in order."""
    channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True)
    for service, events in topology.items():
        declare_dead_queue(channel, service)
        channel.queue_declare(service, durable=True, arguments=queue_arguments(service))
        for event in events:
            channel.queue_bind(service, EXCHANGE, routing_key=event.TYPE)
