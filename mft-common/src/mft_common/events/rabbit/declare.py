"""Make the exchange, queues and bindings of a topology; whoever connects first does, publisher or consumer."""

from typing import Any, Final

from mft_common.events.topology import EXCHANGE, Topology, dead_queue

# A message whose consumers die again and again, taking their process with them, ends among the dead letters.
_DELIVERY_LIMIT: Final = 50
# Listing dead letters takes and gives back each; a broker's own default limit would drop them after some looks.
_NO_LIMIT: Final = 1_000_000_000


def queue_arguments(service: str) -> dict[str, Any]:
    """Return the arguments of the queue that `service` consumes; they are the same whoever declares it."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": _DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead_queue(service),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def dead_arguments() -> dict[str, Any]:
    """Return the arguments of a queue of dead letters."""
    return {"x-queue-type": "quorum", "x-delivery-limit": _NO_LIMIT}


def declare(channel: Any, topology: Topology) -> None:
    """Declare everything on a pika channel, of a blocking connection or of another: calls are answered in order."""
    channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True)
    for service, events in topology.items():
        channel.queue_declare(dead_queue(service), durable=True, arguments=dead_arguments())
        channel.queue_declare(service, durable=True, arguments=queue_arguments(service))
        for event in events:
            channel.queue_bind(service, EXCHANGE, routing_key=event.TYPE)
