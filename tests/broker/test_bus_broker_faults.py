"""The bus on RabbitMQ loses and repeats nothing when the broker, the network or a process fails."""

import threading
import time
from collections.abc import Iterator

import pika
import pytest

from mft_common.errors import Unavailable
from mft_common.events.rabbit import RabbitBus
from mft_common.events.rabbit.declarations import declare, queue_arguments
from tests.servers.event_world import CONSUMER, TOPOLOGY, deleted, running, stored
from tests.servers.processes import end, free_port, wait_until
from tests.servers.rabbitmq import OwnRabbitMQ, RabbitMQ

QUICK = {"connect_timeout": 2.0, "confirm_timeout": 1.0}


@pytest.fixture
def own_broker(rabbitmq_server: RabbitMQ) -> Iterator[OwnRabbitMQ]:
    """Return a broker that the test may stop: the one of the run if it is ours."""
    if isinstance(rabbitmq_server, OwnRabbitMQ):
        yield rabbitmq_server
    else:
        with OwnRabbitMQ() as own:
            yield own


def paths(count: int) -> list[str]:
    """Return as many paths."""
    return [f"/in/{number:05d}.csv" for number in range(count)]


def all_once(world, expected: list[str]) -> bool:
    """Return whether each path had its effect once, and no other path had any."""
    return world.consumer.seen() == dict.fromkeys(expected, 1)


def channel_of(url: str):
    """Return a connection of the test's own, and a channel whose publishing waits for the broker's confirm."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    # Without confirms, a message that a quorum queue had not stored yet is lost when its publisher disconnects.
    channel.confirm_delivery()
    return connection, channel


def waiting_in(url: str, queue: str) -> int:
    """Return how many messages wait in a queue."""
    connection, channel = channel_of(url)
    count = channel.queue_declare(queue, passive=True).method.message_count
    connection.close()
    return count


def test_events_committed_while_the_broker_is_away_come_later(rabbit_world, way, through) -> None:
    """A commit needs no broker, neither at the start of the workers nor in between; nothing is lost."""
    bus = rabbit_world.bus(through(rabbit_world), **QUICK)
    way.refuse()
    rabbit_world.producer.commit(stored("/in/00000.csv"))
    with running(rabbit_world.relay(bus) + rabbit_world.consume(bus)):
        with pytest.raises(Unavailable):
            bus.check()
        rabbit_world.producer.commit(stored("/in/00001.csv"))
        assert rabbit_world.producer.unpublished() == 2
        way.accept()
        wait_until(lambda: rabbit_world.consumer.count() == 2, what="the first effects")
        way.refuse()
        rabbit_world.producer.commit(stored("/in/00002.csv"))
        way.accept()
        wait_until(lambda: rabbit_world.consumer.count() == 3, what="the last effect")
    assert all_once(rabbit_world, paths(3))


def test_connections_cut_under_load_lose_and_double_nothing(rabbit_world, way, through) -> None:
    """However often connections break while events flow, each has its effect once."""
    bus = rabbit_world.bus(through(rabbit_world), **QUICK)
    expected = paths(1_500)
    with running(rabbit_world.relay(bus) + rabbit_world.consume(bus)):
        for start in range(0, len(expected), 100):
            rabbit_world.producer.commit(*map(stored, expected[start : start + 100]))
            if start % 300 == 0:
                way.cut()
        wait_until(lambda: rabbit_world.consumer.count() >= len(expected), within=30, what="all effects")
        wait_until(lambda: rabbit_world.producer.unpublished() == 0, what="all marks")
    assert all_once(rabbit_world, expected)


def test_a_broker_that_answers_nothing_is_left_and_found_again(rabbit_world, way, through) -> None:
    """Confirms that do not come leave the events unpublished, and they are published again."""
    bus = rabbit_world.bus(through(rabbit_world), **QUICK)
    rabbit_world.producer.commit(stored("/in/00000.csv"))
    with running(rabbit_world.relay(bus) + rabbit_world.consume(rabbit_world.bus())):
        wait_until(lambda: rabbit_world.consumer.count() == 1, what="the first effect")
        way.stall(to_client=True)
        rabbit_world.producer.commit(stored("/in/00001.csv"))
        connections = way.connections
        wait_until(lambda: way.connections > connections, what="another try to connect")
        assert rabbit_world.producer.unpublished() == 1
        way.resume()
        wait_until(lambda: rabbit_world.producer.unpublished() == 0, what="the mark")
        wait_until(lambda: rabbit_world.consumer.count() == 2, what="the second effect")
    assert all_once(rabbit_world, paths(2))


def test_a_broker_that_dies_under_load_comes_back_with_everything(make_world, own_broker) -> None:
    """The broker is killed and started again while events flow: each has its effect once."""
    world = make_world("local-sqlite")
    world.amqp = own_broker.url(own_broker.new_vhost())
    bus = world.bus(**QUICK)
    expected: list[str] = []

    def more() -> int:
        added = [f"/in/{len(expected) + number}" for number in range(20)]
        world.producer.commit(*map(stored, added))
        expected.extend(added)
        return world.consumer.count()

    began = time.monotonic()
    with running(world.relay(bus) + world.consume(bus)):
        # RabbitMQ 3.10 forgets a quorum queue when it dies within half a second of making it.
        wait_until(lambda: more() and time.monotonic() > began + 2, every=0.02, what="a broker under load")
        own_broker.stop()
        more()
        own_broker.start()
        wait_until(lambda: world.consumer.count() >= len(expected), within=40, what="all effects")
        wait_until(lambda: world.producer.unpublished() == 0, what="all marks")
    assert all_once(world, expected)


def test_a_consumer_killed_between_commit_and_acknowledgement_repeats_no_effect(
    rabbit_world, way, through, spawn
) -> None:
    """A message whose event was committed and not acknowledged is delivered again, and changes nothing."""
    bus = rabbit_world.bus()
    victim = spawn("consume", rabbit_world, amqp=through(rabbit_world))
    wait_until(lambda: way.connections >= 1, what="the victim's connection")
    with running(rabbit_world.relay(bus)):
        rabbit_world.producer.commit(stored("/in/00000.csv"))
        wait_until(lambda: rabbit_world.consumer.count() == 1, what="the first effect")
        way.stall(to_server=True)
        rabbit_world.producer.commit(stored("/in/00001.csv"))
        wait_until(lambda: rabbit_world.consumer.count() == 2, what="the effect")
        end(victim)
        way.cut()
        with running(rabbit_world.consume(bus)):
            rabbit_world.producer.commit(stored("/in/00002.csv"))
            wait_until(lambda: rabbit_world.consumer.count() >= 3, what="the last effect")
            wait_until(lambda: waiting_in(rabbit_world.amqp, CONSUMER) == 0, what="an empty queue", every=0.05)
    assert all_once(rabbit_world, paths(3))


def test_a_relay_killed_between_publish_and_mark_doubles_no_effect(rabbit_world, way, through, spawn) -> None:
    """An event that was published by a relay which died unmarked is published twice and has its effect once."""
    bus = rabbit_world.bus()
    bus.check()
    victim = spawn("relay", rabbit_world, amqp=through(rabbit_world))
    rabbit_world.producer.commit(stored("/in/00000.csv"))
    wait_until(lambda: rabbit_world.producer.unpublished() == 0, what="a relay at work")
    way.stall(to_client=True)
    rabbit_world.producer.commit(stored("/in/00001.csv"))
    wait_until(lambda: waiting_in(rabbit_world.amqp, CONSUMER) == 2, what="both in the queue", every=0.05)
    end(victim)
    assert rabbit_world.producer.unpublished() == 1
    with running(rabbit_world.relay(bus)):
        wait_until(lambda: rabbit_world.producer.unpublished() == 0, what="the mark")
    assert waiting_in(rabbit_world.amqp, CONSUMER) == 3
    with running(rabbit_world.consume(bus)):
        wait_until(lambda: rabbit_world.consumer.count() == 2, what="the effects")
        wait_until(lambda: waiting_in(rabbit_world.amqp, CONSUMER) == 0, what="an empty queue", every=0.05)
    assert all_once(rabbit_world, paths(2))


def test_an_event_that_finds_no_queue_is_not_lost(rabbit_world) -> None:
    """A queue deleted under a running relay is made again, and the returned event published again."""
    bus = rabbit_world.bus()
    with running(rabbit_world.relay(bus)):
        rabbit_world.producer.commit(stored("/in/00000.csv"))
        wait_until(lambda: rabbit_world.producer.unpublished() == 0, what="the first mark")
        connection, channel = channel_of(rabbit_world.amqp)
        channel.queue_delete(CONSUMER)
        connection.close()
        rabbit_world.producer.commit(stored("/in/00001.csv"))
        wait_until(lambda: rabbit_world.producer.unpublished() == 0, what="the second mark")
    with running(rabbit_world.consume(bus)):
        wait_until(lambda: rabbit_world.consumer.count() == 1, what="the effect")
    assert all_once(rabbit_world, ["/in/00001.csv"])


def test_events_published_before_their_consumer_has_ever_run_wait_for_it(rabbit_world) -> None:
    """The relay declares the consumers' queues, so that workers may start in any order."""
    bus = rabbit_world.bus()
    rabbit_world.producer.commit(*map(stored, paths(3)), deleted("/in/no-consumer"))
    with running(rabbit_world.relay(bus)):
        wait_until(lambda: rabbit_world.producer.unpublished() == 0, what="all marks")
    assert waiting_in(rabbit_world.amqp, CONSUMER) == 3
    with running(rabbit_world.consume(bus)):
        wait_until(lambda: rabbit_world.consumer.count() == 3, what="the effects")


def test_messages_that_are_no_events_go_to_the_dead_letters(make_world) -> None:
    """Messages that cannot be read delay no event, are listed as they came, and can be replayed."""
    bodies = [b"", b"\xff\xfe", b"[]", b"{}", b'{"specversion": "1.0", "type": "file.stored.v9"}', b"[" * 100_000]
    world = make_world("rabbit-sqlite")
    bus = world.bus()
    bus.check()
    connection, channel = channel_of(world.amqp)
    for body in bodies:
        channel.basic_publish("mft.events", "file.stored.v1", body)
    connection.close()
    world.producer.commit(stored("/in/00000.csv"))
    with running(world.relay(bus) + world.consume(bus)):
        wait_until(lambda: world.consumer.count() == 1, what="the effect")
        wait_until(lambda: len(bus.dead_letters(CONSUMER)) == len(bodies), what="the dead letters", every=0.05)
        letters = bus.dead_letters(CONSUMER)
        assert [letter.body for letter in letters] == [body.decode("utf-8", "backslashreplace") for body in bodies]
        assert all(letter.reason for letter in letters)
        assert bus.replay(CONSUMER, [letters[0].id]) == 1
        wait_until(lambda: len(bus.dead_letters(CONSUMER)) == len(bodies), what="the dead letter again", every=0.05)


def test_a_message_whose_consumers_die_again_and_again_ends_among_the_dead_letters(amqp_url: str) -> None:
    """The broker itself moves a message that was delivered too often, and the list shows the broker's reason."""
    connection, channel = channel_of(amqp_url)
    declare(channel, TOPOLOGY)
    channel.basic_publish("mft.events", "file.stored.v1", b"{}")
    for _ in range(queue_arguments(CONSUMER)["x-delivery-limit"] + 1):
        for method, _properties, _body in channel.consume(CONSUMER):
            channel.basic_nack(method.delivery_tag)
            break
    channel.cancel()
    connection.close()
    bus = RabbitBus(amqp_url, consumers=TOPOLOGY)
    wait_until(lambda: bus.dead_letters(CONSUMER), what="the dead letter", every=0.05)
    assert "delivery_limit" in bus.dead_letters(CONSUMER)[0].reason


def test_a_handler_longer_than_the_heartbeat_keeps_its_connection(make_world, rabbitmq_server) -> None:
    """The connection has a thread of its own, which sends heartbeats while a handler is busy."""
    world = make_world("rabbit-sqlite")
    bus = world.bus(heartbeat=2)
    calls: list[str] = []

    def slow(path: str) -> None:
        calls.append(path)
        threading.Event().wait(7)

    world.producer.commit(stored("/in/00000.csv"))
    with running(world.relay(world.bus()) + world.consume(bus, slow)):
        wait_until(lambda: world.consumer.count() == 1, what="the effect")
    assert calls == ["/in/00000.csv"]
    assert waiting_in(world.amqp, CONSUMER) == 0


def test_two_relays_share_one_outbox(make_world) -> None:
    """On PostgreSQL relays skip the rows that another one has locked, so that nothing is published twice."""
    world = make_world("rabbit-postgresql")
    bus = world.bus()
    expected = paths(2_000)
    with running(world.relay(bus) + world.relay(world.bus())):
        for start in range(0, len(expected), 200):
            world.producer.commit(*map(stored, expected[start : start + 200]))
        wait_until(lambda: world.producer.unpublished() == 0, what="all marks")
    assert waiting_in(world.amqp, CONSUMER) == len(expected)


def test_a_broker_that_is_away_is_unavailable(make_world) -> None:
    """Readiness and the list of dead letters fail with a reason when RabbitMQ is away, and soon."""
    world = make_world("local-sqlite")
    world.amqp = f"amqp://guest:guest@127.0.0.1:{free_port()}/nowhere"
    bus = world.bus(**QUICK)
    with pytest.raises(Unavailable, match="RabbitMQ"):
        bus.check()
    with pytest.raises(Unavailable, match="RabbitMQ"):
        bus.dead_letters(CONSUMER)


def test_readiness_asks_on_one_connection(make_world, way, through) -> None:
    """However often a worker is asked, the broker sees one more connection, and a lost one is replaced by one."""
    world = make_world("rabbit-sqlite")
    bus = world.bus(through(world))
    for _ in range(20):
        bus.check()
    assert way.connections == 1
    way.cut()
    wait_until(lambda: ready(bus), what="readiness after a cut")
    for _ in range(20):
        bus.check()
    assert way.connections == 2


def test_a_broker_that_answers_nothing_is_not_ready(make_world, way, through) -> None:
    """A connection that is open proves nothing: each probe waits for an answer of the broker."""
    world = make_world("rabbit-sqlite")
    bus = world.bus(through(world), connect_timeout=0.5)
    wait_until(lambda: ready(bus), what="an answer")
    way.stall(to_client=True)
    with pytest.raises(Unavailable, match="RabbitMQ"):
        bus.check()
    way.resume()
    wait_until(lambda: ready(bus), what="readiness")


def ready(bus) -> bool:
    """Return whether the bus passes its readiness check."""
    try:
        bus.check()
    except Unavailable:
        return False
    return True
