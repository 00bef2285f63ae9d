"""Run one connection to RabbitMQ in a thread of its own, so that heartbeats go on while its user is busy."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Self

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from mft_common.errors import Unavailable
from mft_common.events.rabbit.declarations import declare
from mft_common.events.rabbit.publish_batch import Message, Outcome, PublishBatch
from mft_common.events.topology import EXCHANGE, Topology

_CLOSE_S: Final = 3.0
_UNREADABLE: Final = (
    "its URL is not of the form amqp://user:password@host:port/vhost; a / in user or password is written %2F, and so on"
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The address of RabbitMQ, `amqp://...`, and its timeouts in seconds."""

    url: str = field(repr=False)
    topology: Topology
    heartbeat: int = 20
    connect_timeout: float = 5.0
    confirm_timeout: float = 20.0

    def declare(self, channel: Any) -> None:
        """Declare on a channel what its user needs: the exchange, queues and bindings of the topology."""
        declare(channel, self.topology)

    def parameters(self, name: str) -> pika.URLParameters:
        """Return pika's parameters for a connection that shows as `name` in the broker's lists.

        ValueError without any part of a URL that cannot be read: errors are logged, and a sign in a password that
        ought to be escaped makes a part of it the port.
        """
        try:
            parameters = pika.URLParameters(self.url)
        except (ValueError, TypeError):
            raise ValueError(_UNREADABLE) from None
        parameters.heartbeat = self.heartbeat
        parameters.connection_attempts = 1
        parameters.socket_timeout = self.connect_timeout
        parameters.stack_timeout = self.connect_timeout
        parameters.blocked_connection_timeout = self.confirm_timeout
        parameters.client_properties = {"connection_name": name}
        return parameters


@dataclass(frozen=True)
class Delivered:
    """One message as the broker delivered it."""

    tag: int
    properties: Any
    body: bytes


class BrokerConnection:
    """A connection with one channel in confirm mode; a context manager. Unavailable where it cannot be opened.

    Only its own thread touches pika's objects. With `consume`, messages of that queue arrive in `deliveries`, at most
    `prefetch` unacknowledged ones; None there means that the connection is closed.
    """

    def __init__(self, settings: Settings, name: str, *, consume: str | None = None, prefetch: int = 0) -> None:
        self.deliveries: queue.SimpleQueue[Delivered | None] = queue.SimpleQueue()
        self._settings = settings
        self._name = name
        self._consume = consume
        self._prefetch = prefetch
        self._connection: Any = None
        self._channel: Any = None
        self._tag = 0
        self._batch: PublishBatch | None = None
        self._ready = threading.Event()
        self._gone = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"{name}-connection", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the connection is open, as far as this side can know."""
        return not self._gone.is_set()

    @property
    def error(self) -> BaseException | None:
        """The reason for which the connection was lost, or did not come about."""
        return self._error

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect, and declare the topology."""
        self._thread.start()
        in_time = self._ready.wait(self._settings.connect_timeout * 2)
        if not in_time or not self.alive:
            self.close()
            raise Unavailable(_reason(self._error)) from self._error

    def ping(self) -> bool:
        """Return whether the broker answers on this connection in time."""
        answered = threading.Event()
        self._call(lambda: self._channel.exchange_declare(EXCHANGE, passive=True, callback=lambda _ok: answered.set()))
        return answered.wait(self._settings.connect_timeout if self.alive else 0)

    def publish(self, messages: list[Message]) -> Outcome:
        """Publish a batch and wait for its confirms; after an outcome that is not complete, connect anew."""
        batch = PublishBatch(messages)
        self._call(lambda: self._send(batch))
        return batch.wait(self._settings.confirm_timeout if self.alive else 0)

    def ack(self, tag: int, *, multiple: bool) -> None:
        """Acknowledge a message, or all up to it."""
        self._call(lambda: self._channel.basic_ack(tag, multiple=multiple))

    def close(self) -> None:
        """Close the connection after sending what was handed over before; abort it where the broker does not answer."""
        if self._thread.is_alive():
            self._call(self._begin_close)
            self._thread.join(_CLOSE_S * 2)

    def _call(self, action: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                action()
            except AMQPError as error:
                self._fail(error)

        if self._connection is not None and self.alive:
            self._connection.ioloop.add_callback_threadsafe(guarded)

    # The methods below run in the connection's own thread.

    def _run(self) -> None:
        try:
            self._connection = pika.SelectConnection(
                self._settings.parameters(self._name),
                on_open_callback=self._opened,
                on_open_error_callback=self._closed,
                on_close_callback=self._closed,
            )
            self._connection.ioloop.start()
        except Exception as error:  # noqa: BLE001 -- every error that ends this thread is reported to its user
            self._closed(None, error)
        finally:
            if self._connection is not None:
                self._connection.ioloop.close()

    def _opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _channel, reason: self._fail(reason))
        channel.add_on_return_callback(self._returned)
        channel.add_on_cancel_callback(lambda _frame: self._fail(Unavailable("the broker deleted the queue")))
        self._settings.declare(channel)
        self._prepare(channel)

    def _prepare(self, channel: Any) -> None:
        """Choose the channel's mode; the connection is ready afterwards."""
        channel.confirm_delivery(self._confirmed, callback=self._confirms_selected)

    def _confirms_selected(self, _frame: Any) -> None:
        if self._consume is None:
            self._ready.set()
            return
        self._channel.basic_qos(prefetch_count=self._prefetch)
        self._channel.basic_consume(self._consume, self._delivered, callback=lambda _frame: self._ready.set())

    def _delivered(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.deliveries.put(Delivered(method.delivery_tag, properties, body))

    def _send(self, batch: PublishBatch) -> None:
        self._batch = batch
        for message in batch.messages:
            self._tag += 1
            batch.sent(self._tag, message.key)
            self._channel.basic_publish(
                message.exchange, message.routing_key, message.body, message.properties, message.mandatory
            )

    def _confirmed(self, frame: Any) -> None:
        if self._batch is not None:
            method = frame.method
            self._batch.answered(
                method.delivery_tag, multiple=method.multiple, ok=isinstance(method, pika.spec.Basic.Ack)
            )

    def _returned(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        if self._batch is not None:
            self._batch.returned(properties.message_id)

    def _begin_close(self) -> None:
        self._connection.ioloop.call_later(_CLOSE_S, lambda: self._abort(Unavailable("no answer to the close")))
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._gone.set()
        self._abort(error)

    def _abort(self, error: BaseException) -> None:
        if not self._connection.is_closed:
            # pika has no other way to drop a connection whose other end does not answer.
            self._connection._terminate_stream(error)  # noqa: SLF001

    def _closed(self, _connection: Any, error: BaseException) -> None:
        self._error = self._error or error
        self._gone.set()
        self._ready.set()
        if self._batch is not None:
            self._batch.give_up()
        self.deliveries.put(None)
        if self._connection is not None:
            self._connection.ioloop.stop()


def _reason(error: BaseException | None) -> str:
    """Return why a connection did not come about; the broker says itself what it refuses, such as a missing queue."""
    if isinstance(error, ChannelClosedByBroker):
        return f"RabbitMQ answers: {error.reply_text}"
    return f"RabbitMQ does not answer: {error!r}"
