"""Find the settings of a queue in the order of a child."""

from typing import Final

from mft_common.queues.settings import QueueSettings
from mqmft_svc.domain.queues import queue_of
from mqmft_svc.operations.managed.order import Order

_HEARTBEAT_S: Final = 10
_CONNECT_S: Final = 10.0
_ANSWER_S: Final = 60.0


def settings_of(order: Order, side: str, name: str) -> QueueSettings:
    """Return how to reach a queue of the agent of a side; a broker is as patient as an endpoint, within limits."""
    broker = order.brokers[side]
    return QueueSettings(
        url=broker.url,
        queue=queue_of(name),
        broker=f"the message broker of the agent {broker.agent}",
        heartbeat=_HEARTBEAT_S,
        connect_timeout=min(_CONNECT_S, order.patience_s),
        confirm_timeout=min(_ANSWER_S, order.patience_s),
    )
