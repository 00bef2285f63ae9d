"""A queue of another system is consumed by a reader that may fail."""

import threading

import pika
import pytest
import sqlalchemy as sa

from mft_common.errors import Unavailable
from mft_common.events.rabbit import dead_letters
from mft_common.events.rabbit.foreign_queue import ForeignSettings, QueueConsumer, Refused
from mft_common.process.background_tasks import BackgroundTask
from tests.servers.event_world import running
from tests.servers.processes import wait_until

QUEUE = "other.messages"


class Collector:
    """Keeps what it takes; fails with every batch that has a message `bad`, refuses those that begin with `odd`."""

    def __init__(self):
        self.taken = []
        self.errors = []

    def take(self, bodies):
        if b"bad" in bodies:
            raise ValueError("cannot be stored")
        self.taken += [body for body in bodies if not body.startswith(b"odd")]
        return [Refused(place, "is odd") for place, body in enumerate(bodies) if body.startswith(b"odd")]

    def broker_away(self, error, *, lost):
        self.errors.append((error, lost))


@pytest.fixture
def channel(amqp_url):
    """A channel on which the queue is declared."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    made = connection.channel()
    made.confirm_delivery()
    made.queue_declare(QUEUE, durable=True)
    yield made
    connection.close()


def consume(amqp_url, reader):
    """Return a task that consumes the queue."""
    settings = ForeignSettings(url=amqp_url, queue=QUEUE)
    return BackgroundTask("consumer", QueueConsumer(settings, reader).run)


def test_a_message_that_fails_is_set_aside_and_costs_none_of_its_batch(amqp_url, channel):
    """Messages that fail together are handed over one by one, and the faulty one is a dead letter as it came."""
    for body in (b"one", b"bad", b"two", b"odd", b"odd, too", b"three"):
        channel.basic_publish("", QUEUE, body, pika.BasicProperties(message_id="same", content_type="text/xml"))
    reader = Collector()
    with running([consume(amqp_url, reader)]):
        wait_until(lambda: b"three" in reader.taken, what="the last message")
    assert set(reader.taken) == {b"one", b"two", b"three"}
    letters = dead_letters.dead_letters(ForeignSettings(url=amqp_url, queue=QUEUE), QUEUE, 10)
    assert {(letter.body, letter.reason) for letter in letters} == {
        ("bad", "ValueError: cannot be stored"),
        ("odd", "is odd"),
        ("odd, too", "is odd"),
    }
    _method, properties, _body = channel.basic_get(f"{QUEUE}.dead")
    assert properties.content_type == "text/xml"
    assert channel.queue_declare(QUEUE, passive=True).method.message_count == 0


def test_messages_wait_while_the_database_is_away(amqp_url, channel):
    """A database that does not answer sets no message aside: the batch is handed over until it does."""

    class Away(Collector):
        def take(self, bodies):
            self.errors.append(bodies)
            if len(self.errors) < 4:
                raise sa.exc.TimeoutError
            return super().take(bodies)

    reader = Away()
    channel.basic_publish("", QUEUE, b"one")
    with running([consume(amqp_url, reader)]):
        wait_until(lambda: reader.taken, what="the message")
    assert reader.errors == [[b"one"]] * 4
    assert channel.queue_declare(QUEUE, passive=True).method.message_count == 0
    assert dead_letters.dead_letters(ForeignSettings(url=amqp_url, queue=QUEUE), QUEUE, 10) == []


def test_nothing_but_the_queue_of_dead_letters_is_declared(amqp_url, channel):
    """The broker belongs to another system: the hub's exchange is not made on it."""
    reader = Collector()
    channel.basic_publish("", QUEUE, b"one")
    with running([consume(amqp_url, reader)]):
        wait_until(lambda: reader.taken, what="the message")
    channel.queue_declare(f"{QUEUE}.dead", passive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="NOT_FOUND"):
        channel.exchange_declare("mft.events", passive=True)


def test_a_queue_that_is_deleted_is_consumed_again_when_it_is_back(amqp_url, channel):
    """The reader is told of the loss, and of each connection that does not come about."""
    reader = Collector()
    channel.basic_publish("", QUEUE, b"one")
    with running([consume(amqp_url, reader)]):
        wait_until(lambda: reader.taken, what="the message")
        channel.queue_delete(QUEUE)
        wait_until(lambda: {lost for _error, lost in reader.errors} == {True, False}, what="both errors")
        channel.queue_declare(QUEUE, durable=True)
        channel.basic_publish("", QUEUE, b"two")
        wait_until(lambda: b"two" in reader.taken, what="the message after it")
    assert all(isinstance(error, Unavailable) for error, _lost in reader.errors)
    missing = [str(error) for error, lost in reader.errors if not lost]
    assert missing
    assert all(text.startswith(f"RabbitMQ answers: NOT_FOUND - no queue '{QUEUE}' in vhost") for text in missing)


def test_messages_that_were_taken_and_not_handled_go_back_at_the_end(amqp_url, channel):
    """A worker that is stopped during a batch acknowledges that batch, and returns the others."""
    entered, go_on = threading.Event(), threading.Event()

    class Slow(Collector):
        def take(self, bodies):
            entered.set()
            go_on.wait(20)
            return super().take(bodies)

    reader = Slow()
    channel.basic_publish("", QUEUE, b"0")
    stop = threading.Event()
    thread = threading.Thread(target=consume(amqp_url, reader).run, args=(stop,))
    thread.start()
    assert entered.wait(20)
    for number in range(1, 30):
        channel.basic_publish("", QUEUE, str(number).encode())
    stop.set()
    go_on.set()
    thread.join(20)
    left = []
    while (found := channel.basic_get(QUEUE, auto_ack=True))[0] is not None:
        left.append(found[2])
    assert sorted([*reader.taken, *left], key=int) == [str(number).encode() for number in range(30)]
