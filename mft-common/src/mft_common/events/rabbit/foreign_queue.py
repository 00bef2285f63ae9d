"""Consume a queue that another system fills; a message is acknowledged after its effect is committed."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from mft_common import clock, logs
from mft_common.backoff import Backoff
from mft_common.database.transient import is_transient
from mft_common.errors import Unavailable
from mft_common.events.delivery import reason_of
from mft_common.events.rabbit.batches import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    next_batch,
    retry_while_database_is_away,
)
from mft_common.events.rabbit.broker_connection import BrokerConnection, Delivered, Settings
from mft_common.events.rabbit.dead_letters import unreadable_message
from mft_common.events.rabbit.declarations import declare_dead_queue
from mft_common.events.topology import Topology

# Messages of another system may be large: a batch of the largest has to fit into memory.
_BATCH: Final = 50
_WAIT_S: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class ForeignSettings(Settings):
    """The address of a queue of another system; the hub declares the queue of its dead letters, and no other."""

    queue: str
    topology: Topology = field(default_factory=dict)

    def declare(self, channel: Any) -> None:
        """Declare the queue `QUEUE.dead`."""
        declare_dead_queue(channel, self.queue)


class Refused(NamedTuple):
    """A message of a batch that its reader cannot use, by its place in the batch, and the reason."""

    place: int
    reason: str


class Reader(Protocol):
    """The user of a foreign queue."""

    def take(self, bodies: Sequence[bytes]) -> Sequence[Refused]:
        """Commit the effect of messages, and return those that cannot be read.

        A message may come again after its effect was committed, and then must change nothing.
        """
        ...

    def broker_away(self, error: Unavailable, *, lost: bool) -> None:
        """Log that the broker cannot be reached, or that the connection to it was lost."""
        ...


def take_all(reader: Reader, bodies: Sequence[bytes]) -> Sequence[Refused]:
    """Hand messages to their reader together, and one by one where they fail together.

    Unavailable where the database is away; then all of them may be handed over again.
    """
    try:
        return reader.take(bodies)
    except Exception as error:
        if is_transient(error):
            raise
        if len(bodies) == 1:
            return [Refused(0, reason_of(error))]
    return [Refused(place, one.reason) for place, body in enumerate(bodies) for one in take_all(reader, [body])]


class QueueConsumer:
    """Consumes one queue for one reader; several consumers, in several processes, share the work.

    A message that the reader refuses, or that fails with anything but a database that is away, is published to
    `QUEUE.dead` with the reason, before its batch is acknowledged.
    """

    def __init__(self, settings: ForeignSettings, reader: Reader, now: clock.Clock = clock.now_ms) -> None:
        self._settings = settings
        self._reader = reader
        self._now = now
        self._log = logs.get("events")

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set, and connect anew where the connection is lost."""
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        queue = self._settings.queue
        while not stop.is_set():
            connected = False
            try:
                name = f"{queue}-consumer"
                with BrokerConnection(self._settings, name, consume=queue, prefetch=_BATCH) as broker:
                    connected = True
                    backoff.reset()
                    self._consume(broker, stop)
            except Unavailable as error:
                self._reader.broker_away(error, lost=connected)
                stop.wait(backoff.pause())

    def _consume(self, broker: BrokerConnection, stop: threading.Event) -> None:
        while not stop.is_set():
            batch = next_batch(broker, _BATCH, _WAIT_S)
            action = partial(self._handle, broker, batch)
            queue = self._settings.queue
            if batch and retry_while_database_is_away(broker, stop, self._log, action, queue=queue):
                broker.ack(batch[-1].tag, multiple=True)

    def _handle(self, broker: BrokerConnection, batch: Sequence[Delivered]) -> None:
        refused = take_all(self._reader, [delivered.body for delivered in batch])
        if not refused:
            return
        queue = self._settings.queue
        now = self._now()
        letters = [unreadable_message(queue, batch[one.place], one.reason, now, foreign=True) for one in refused]
        for one in refused:
            self._log.error("message.set_aside", queue=queue, size=len(batch[one.place].body), reason=one.reason)
        if len(broker.publish(letters).confirmed) < len(letters):
            raise Unavailable("RabbitMQ did not confirm the dead letters")
