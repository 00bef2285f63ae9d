"""Take messages from a connection in batches, and wait for a database that is away."""

import queue
import threading
from collections.abc import Callable
from typing import Any, Final

from mft_common.backoff import Backoff
from mft_common.database.transient import is_transient
from mft_common.errors import Unavailable
from mft_common.events.rabbit.broker_connection import BrokerConnection, Delivered

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0


def next_batch(broker: BrokerConnection, most: int, wait: float) -> list[Delivered]:
    """Return the messages that are there, at most `most`; wait for the first for `wait` seconds.

    Unavailable where the connection is closed.
    """
    batch: list[Delivered] = []
    try:
        while len(batch) < most:
            delivered = broker.deliveries.get(block=not batch, timeout=None if batch else wait)
            if delivered is None:
                raise Unavailable("the connection to RabbitMQ was lost")
            batch.append(delivered)
    except queue.Empty:
        pass
    return batch


def retry_while_database_is_away(
    broker: BrokerConnection, stop: threading.Event, log: Any, action: Callable[[], object], **fields: Any
) -> bool:
    """Repeat `action` while the database does not answer; False where the worker stops or the broker is gone first.

    The messages stay with this consumer meanwhile: returning them would count as a failed delivery.
    """
    backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
    while True:
        try:
            action()
            return True
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("events.database_away", error=str(error), **fields)
            if stop.wait(backoff.pause()) or not broker.alive:
                return False
