"""Require that an agent has a message broker for the queue that an item names (227, 231)."""

from mqmft_svc.domain.queues import qmgr_of
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.order import DESTINATION, SOURCE, Broker, Order
from mqmft_svc.operations.managed.problems import NotPossible


def require_broker(order: Order, item: ItemRequest) -> None:
    """Raise NotPossible where an item names a queue of an agent without a broker, or of another queue manager."""
    for side, place in ((item.source, SOURCE), (item.destination, DESTINATION)):
        if side.type != "queue":
            continue
        broker = order.brokers.get(place, Broker())
        if not broker.url:
            raise NotPossible(f"The agent {broker.agent} has no message broker")
        if qmgr_of(side.name) not in ("", broker.qmgr.upper()):
            raise NotPossible(f"{side.name}: the queue manager of the agent {broker.agent} is {broker.qmgr}")
