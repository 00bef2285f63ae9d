"""Use one queue over a connection of its own, in a thread that keeps the connection alive."""

import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from functools import partial
from itertools import groupby
from typing import Any, Final, Literal, Self

import pika

from mft_common.endpoints.errors import Interrupted, NotFound, TransferError
from mft_common.errors import Unavailable
from mft_common.events.rabbit.broker_connection import BrokerConnection
from mft_common.events.rabbit.publish_batch import Message
from mft_common.queues.messages import Outgoing, Taken, taken
from mft_common.queues.settings import QueueSettings
from mft_common.transfer import Interrupt

Mode = Literal["confirms", "transaction", "reading"]

_POLL_S: Final = 0.1
_PERSISTENT: Final = 2
# The messages of one call of `take`, which come back in their order, and how long the next one may take to come.
MOST_AT_ONCE: Final = 50_000
_LATEST_S: Final = 1.0
# More bytes wait for their reader a while each before others are read from the network.
_AHEAD: Final = 16 << 20
# The commands that a queue takes at once, with room to spare.
_AT_ONCE: Final = 24
_HOLD_S: Final = 5.0


class _Inbox:
    """Messages that have come and were not read yet."""

    def __init__(self) -> None:
        self._messages: deque[Taken] = deque()
        self._size = 0
        self._changed = threading.Condition()

    def put(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        """Take a message of pika's; the thread of the connection waits here while many bytes are unread."""
        message = taken(method, properties, body)
        with self._changed:
            self._changed.wait_for(lambda: self._size < _AHEAD, _HOLD_S)
            self._messages.append(message)
            self._size += len(body)
            self._changed.notify_all()

    def get(self, waits: Callable[[], bool]) -> Taken | None:
        """Return the next message; None where none comes for a while, or at once where `waits` says so."""
        until = time.monotonic() + _LATEST_S
        with self._changed:
            while not self._messages:
                if not waits() or time.monotonic() > until:
                    return None
                self._changed.wait(_POLL_S)
            message = self._messages.popleft()
            self._size -= len(message.body)
            self._changed.notify_all()
        return message


class QueueConnection(BrokerConnection):
    """A connection to a queue; its calls raise TransferError and nothing else.

    In the mode `transaction` what is sent becomes visible at `commit`, in the mode `confirms` at once. Messages that
    were taken and not acknowledged go back when the connection is closed, or lost. `interrupt` ends each wait.
    """

    def __init__(self, settings: QueueSettings, mode: Mode, interrupt: Interrupt) -> None:
        super().__init__(settings, f"crossdock-{mode}")
        self._queue = settings
        self._mode = mode
        self._interrupt = interrupt
        self._returned_any = False
        # How often messages were taken: each is a consumer of its own, whose messages are settled by themselves.
        self._consumers = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def open(self) -> None:
        """Connect, and find the queue."""
        if self._interrupt.is_set():
            raise Interrupted(f"{self._queue.queue}: stopped before its broker was asked")
        try:
            super().open()
        except Unavailable as error:
            raise self._queue.error_of(self.error) from error

    def count(self) -> int:
        """Return how many messages can be taken; all that was sent before has reached the broker by then."""
        queue = self._queue.queue

        def ask(answer: Callable[[Any], None]) -> None:
            self._channel.queue_declare(queue, passive=True, callback=answer)

        return int(self._ask(ask).method.message_count)

    def send(self, messages: Iterable[Outgoing]) -> None:
        """Send messages without waiting for an answer, in the mode `transaction`."""
        made = [self._message(one) for one in messages]

        def publish() -> None:
            for one in made:
                self._channel.basic_publish(one.exchange, one.routing_key, one.body, one.properties, one.mandatory)

        self._require()
        self._call(publish)

    def commit(self) -> None:
        """Make visible what was sent; an error leaves it open whether that was done, but for NotFound."""
        self._ask(self._channel.tx_commit, interruptible=False)
        if self._returned_any:
            raise NotFound(f"{self._queue.broker} has no queue {self._queue.queue} any more")

    def confirm(self, messages: Sequence[Outgoing]) -> None:
        """Send messages and wait until the broker has stored them, in the mode `confirms`."""
        self._require()
        outcome = self.publish([self._message(one) for one in messages])
        if not outcome.complete:
            raise self._queue.error_of(self.error)
        if outcome.refused:
            raise TransferError(f"{self._queue.broker} refuses the messages for the queue {self._queue.queue}")

    def take(self, most: int) -> Iterator[Taken]:
        """Take the messages that are there, at most so many, in the mode `reading`; each as soon as it has come.

        Where there is none a first one is waited for, a second at most: a queue of which no node answers is said to be
        empty as well.
        """
        wanted = max(1, min(most, self.count(), MOST_AT_ONCE))
        inbox = _Inbox()

        def consume(answer: Callable[[Any], None]) -> None:
            self._channel.basic_consume(self._queue.queue, inbox.put, callback=answer)

        self._ask(lambda answer: self._channel.basic_qos(prefetch_count=wanted, callback=answer))
        tag = self._ask(consume).method.consumer_tag
        self._consumers += 1
        came = 0
        while came < wanted and (found := inbox.get(self._waits)) is not None:
            came += 1
            yield found
        # Others have taken some of them meanwhile. What is under way to here comes before the answer.
        self._ask(lambda answer: self._channel.basic_cancel(tag, callback=answer))
        while (found := inbox.get(lambda: False)) is not None:
            yield found

    def settle(self, held: Sequence[int], mine: Container[int]) -> bool:
        """Remove those messages that are `mine` from the queue, and give back the others of all that are `held`.

        Return whether that is sure to be done. A quorum queue takes some 30 commands of a channel at once, and forgets
        those that wait when the channel is closed: then the messages come again.
        """
        runs = [(is_mine, max(run)) for is_mine, run in groupby(sorted(held), lambda tag: tag in mine)]
        for is_mine, last in runs:
            if is_mine:
                self.ack(last, multiple=True)
            else:
                self._call(partial(self._channel_nack, last))
        self.count()
        return len(runs) + self._consumers <= _AT_ONCE

    def _message(self, one: Outgoing) -> Message:
        properties = pika.BasicProperties(
            delivery_mode=_PERSISTENT, message_id=one.id, headers=dict(one.headers) or None, timestamp=int(time.time())
        )
        return Message(
            key=one.id, exchange="", routing_key=self._queue.queue, body=one.body, properties=properties, mandatory=True
        )

    def _waits(self) -> bool:
        """Return whether it is of use to wait for the next message; raise what ends the wait."""
        self._require()
        if self._interrupt.is_set():
            raise Interrupted(f"{self._queue.queue}: stopped while messages were taken")
        return True

    def _require(self) -> None:
        if not self.alive:
            raise self._queue.error_of(self.error)

    def _ask(self, begin: Callable[[Callable[[Any], None]], Any], *, interruptible: bool = True) -> Any:
        """Return the broker's answer to what `begin` sends."""
        answer: Future[Any] = Future()
        until = time.monotonic() + self._queue.confirm_timeout
        self._require()
        self._call(lambda: begin(answer.set_result))
        while not wait_for((answer,), _POLL_S).done:
            if not self.alive:
                raise self._queue.error_of(self.error)
            if interruptible and self._interrupt.is_set():
                raise Interrupted(f"{self._queue.queue}: stopped while its broker was asked")
            if time.monotonic() > until:
                raise self._queue.error_of(None)
        return answer.result()

    # The methods below run in the connection's own thread.

    def _channel_nack(self, last: int) -> None:
        self._channel.basic_nack(last, multiple=True, requeue=True)

    def _prepare(self, channel: Any) -> None:
        if self._mode == "confirms":
            super()._prepare(channel)
        elif self._mode == "transaction":
            channel.tx_select(callback=lambda _ok: self._ready.set())
        else:
            # Its answer comes after that to the question for the queue.
            channel.basic_qos(prefetch_count=1, callback=lambda _ok: self._ready.set())

    def _returned(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._returned_any = True
        super()._returned(channel, method, properties, body)
