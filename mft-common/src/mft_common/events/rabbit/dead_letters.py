"""Write, list and replay dead letters: messages in a queue of the service, with the reason in their headers."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, TypeVar

import pika
from pika.exceptions import AMQPError, ConnectionClosedByBroker, NackError, UnroutableError

from mft_common.backoff import delays
from mft_common.errors import Unavailable
from mft_common.events.bus import DeadLetter
from mft_common.events.envelope import CONTENT_TYPE, parse
from mft_common.events.errors import EventError
from mft_common.events.rabbit.broker_connection import Delivered, Settings
from mft_common.events.rabbit.publish_batch import Message
from mft_common.events.topology import dead_queue
from mft_common.storable_text import storable

_PERSISTENT: Final = 2
# A message id of AMQP holds 255 bytes.
_NAME_LENGTH: Final = 48
# AMQP's reply code of an internal error: RabbitMQ gives it for a queue that has been declared and has no leader yet.
_INTERNAL_ERROR: Final = 541
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 1.0
_TRIES: Final = 6

T = TypeVar("T")


def _message(
    service: str, key: str, event_id: str, body: bytes, headers: dict[str, Any], *, content_type: str = CONTENT_TYPE
) -> Message:
    properties = pika.BasicProperties(
        content_type=content_type,
        delivery_mode=_PERSISTENT,
        message_id=key,
        headers={"event-id": event_id, **headers},
    )
    return Message(
        key=key, exchange="", routing_key=dead_queue(service), body=body, properties=properties, mandatory=True
    )


def given_up_message(service: str, row: Any) -> Message:
    """Return the dead letter of an event that was given up."""
    headers = {"reason": row.reason, "attempts": row.attempts, "time": row.failed_at}
    return _message(service, f"{row.source}/{row.id}", row.id, row.body.encode(), headers)


def unreadable_message(service: str, delivered: Delivered, reason: str, now: int, *, foreign: bool = False) -> Message:
    """Return the dead letter of a message that cannot be read.

    Without an id it is named by its hash, and so is a `foreign` one: other systems may use one id for two messages.
    """
    given = None if foreign else delivered.properties.message_id
    name = (given or hashlib.sha256(delivered.body).hexdigest()[:32])[:_NAME_LENGTH]
    headers = {"reason": storable(reason), "attempts": 1, "time": now}
    content_type = delivered.properties.content_type or CONTENT_TYPE
    return _message(service, f"{delivered.tag}/{name}", name, delivered.body, headers, content_type=content_type)


def _letter(properties: Any, body: bytes) -> DeadLetter:
    headers = properties.headers or {}
    # A message that the broker itself moved here, after too many deliveries, has only the broker's header.
    deaths = headers.get("x-death") or [{}]
    died_at = deaths[0].get("time")
    source, type_, subject = "", "", ""
    with contextlib.suppress(EventError):
        envelope = parse(body)
        source, type_, subject = envelope.source, envelope.type, envelope.subject
    return DeadLetter(
        id=str(headers.get("event-id") or properties.message_id or hashlib.sha256(body).hexdigest()[:32]),
        source=source,
        type=type_,
        subject=subject,
        reason=str(headers.get("reason") or f"moved by the broker: {deaths[0].get('reason', 'unknown')}"),
        attempts=int(headers.get("attempts") or headers.get("x-delivery-count") or 0),
        time=int(headers.get("time") or (died_at.timestamp() * 1000 if died_at else 0)),
        body=body.decode("utf-8", "backslashreplace"),
    )


@contextlib.contextmanager
def _channel(settings: Settings, name: str) -> Iterator[Any]:
    try:
        connection = pika.BlockingConnection(settings.parameters(name))
    except (AMQPError, OSError) as error:
        raise Unavailable(f"RabbitMQ does not answer: {error!r}") from error
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        settings.declare(channel)
        yield channel
    except AMQPError as error:
        raise Unavailable(f"RabbitMQ broke off: {error!r}") from error
    finally:
        # Messages that were taken and not acknowledged return to their places with the connection.
        if connection.is_open:
            connection.close()


def _taken(channel: Any, service: str, limit: int | None) -> Iterator[tuple[int, DeadLetter, Any, bytes]]:
    taken = 0
    while limit is None or taken < limit:
        method, properties, body = channel.basic_get(dead_queue(service))
        if method is None:
            return
        taken += 1
        yield method.delivery_tag, _letter(properties, body), properties, body


def retry_without_leader(operation: Callable[[], T]) -> T:
    """Return the result of `operation`, which is tried again while the queue has no leader, for 3 seconds at most."""
    for pause in delays(_FIRST_PAUSE, _LONGEST_PAUSE, _TRIES):
        try:
            return operation()
        except Unavailable as error:
            cause = error.__cause__
            if not isinstance(cause, ConnectionClosedByBroker) or cause.reply_code != _INTERNAL_ERROR:
                raise
            time.sleep(pause)
    return operation()


def dead_letters(settings: Settings, service: str, limit: int) -> list[DeadLetter]:
    """List up to `limit` dead letters, oldest first; they stay in the queue, in their order."""

    def fetch() -> list[DeadLetter]:
        with _channel(settings, f"{service}-dead-letters") as channel:
            taken = [letter for _tag, letter, _properties, _body in _taken(channel, service, limit)]
        return list({(letter.source, letter.id): letter for letter in taken}.values())

    return retry_without_leader(fetch)


def count(settings: Settings, service: str) -> int:
    """Return how many messages the dead-letter queue of `service` holds."""

    def ask() -> int:
        with _channel(settings, f"{service}-dead-letter-count") as channel:
            return int(channel.queue_declare(dead_queue(service), passive=True).method.message_count)

    return retry_without_leader(ask)


def replay(settings: Settings, service: str, ids: Collection[str] | None) -> int:
    """Publish dead letters, all or those `ids`, to the queue of `service`; each is removed once that is confirmed."""
    replayed: set[tuple[str, str]] = set()
    retry_without_leader(lambda: _replay(settings, service, ids, replayed))
    return len(replayed)


def _replay(settings: Settings, service: str, ids: Collection[str] | None, replayed: set[tuple[str, str]]) -> None:
    """Publish the dead letters that are not in `replayed` yet, and add each to it."""
    with _channel(settings, f"{service}-replay") as channel:
        letters = list(_taken(channel, service, None))
        for tag, letter, properties, body in letters:
            if ids is not None and letter.id not in ids:
                continue
            if (letter.source, letter.id) in replayed:
                # A consumer that died between publishing the letter and committing that leaves two: one copy is enough.
                channel.basic_ack(tag)
                continue
            fresh = pika.BasicProperties(
                content_type=properties.content_type, delivery_mode=_PERSISTENT, message_id=letter.id
            )
            try:
                channel.basic_publish("", service, body, fresh, mandatory=True)
            except (NackError, UnroutableError) as error:
                raise Unavailable(f"RabbitMQ refused a replay: {error!r}") from error
            channel.basic_ack(tag)
            replayed.add((letter.source, letter.id))
