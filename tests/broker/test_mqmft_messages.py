"""Messages of an MFT network on a real RabbitMQ become transfers of the record, whatever dies meanwhile."""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from crossdock import deadletters
from mft_common import logs
from mft_common.errors import Unavailable
from mft_common.events.rabbit import RabbitBus, dead_letters
from mft_common.events.rabbit.foreign_queue import ForeignSettings
from mqmft_svc import bootstrap, ingestion
from mqmft_svc.schemas.documents import whole_document
from mqmft_svc.settings import Settings
from mqmft_svc.store import transfers as store
from tests.servers.event_world import running
from tests.servers.processes import end, free_port, wait_until
from tests.servers.transferlog_program import MOMENTS
from tests.unit.mqmft_svc.transferlog_messages import HOSTILE_BODIES
from tests.unit.mqmft_svc.transferlog_record import shown, traffic

ROOT = Path(__file__).parents[2]
QUEUE = "SYSTEM.FTE.LOG"
ARGUMENTS = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


class Network:
    """A queue of messages on a broker, and the service that records them."""

    def __init__(self, amqp, database):
        self.amqp = amqp
        self.database = database
        self.settings = Settings.from_env(
            {
                "MQMFT_DATABASE_URL": database,
                "MQMFT_COORDINATION_QMGR": "QM1",
                "MQMFT_TRANSFERLOG_URL": amqp,
                "MQMFT_TRANSFERLOG_QUEUE": QUEUE,
            }
        )
        self.service = bootstrap.build(self.settings, directory=object(), config={})
        self.source = ForeignSettings(url=amqp, queue=QUEUE)

    @contextmanager
    def channel(self):
        """Give a channel of the test's own, with confirms."""
        connection = pika.BlockingConnection(pika.URLParameters(self.amqp))
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
        connection.close()

    def declare(self):
        """Make the queue, as the operator of a bridge does."""
        with self.channel() as channel:
            channel.queue_declare(QUEUE, durable=True, arguments=ARGUMENTS)

    def send(self, *bodies):
        """Put messages into the queue."""
        with self.channel() as channel:
            for body in bodies:
                channel.basic_publish("", QUEUE, body, pika.BasicProperties(delivery_mode=2))

    def tasks(self, amqp=None):
        """Return the worker's tasks of the queue, through another way to the broker where one is given."""
        settings = (
            self.settings
            if amqp is None
            else Settings.from_env(
                {"MQMFT_DATABASE_URL": "sqlite://", "MQMFT_TRANSFERLOG_URL": amqp, "MQMFT_TRANSFERLOG_QUEUE": QUEUE}
            )
        )
        return ingestion.tasks(settings, self.service.database, self.service.operations.recorder)

    def count(self):
        """Return how many transfers the record holds."""
        with self.service.database.read() as connection:
            return store.count(connection)

    def ready(self):
        """Return how many messages wait; while nothing consumes, these are all that are not acknowledged."""
        with self.channel() as channel:
            return channel.queue_declare(QUEUE, passive=True).method.message_count

    def wrong(self, stories):
        """Return the ids of the transfers whose record is not that of their messages in order."""
        with self.service.database.read() as connection:
            known = store.newest(connection, 10_000, brief=False)
            items = store.items(connection, [one.arrival for one in known])
        found = {one.id: whole_document(one, items[one.arrival]) for one in known}
        return [id_ for id_, messages in stories.items() if found.get(id_) != shown(*messages)]

    def drain(self, stories):
        """Consume until the record is right and no message is left."""
        with running(self.tasks()):
            wait_until(lambda: not self.wrong(stories), within=60, every=0.1, what="the right record")
        while self.ready():
            with running(self.tasks()):
                wait_until(lambda: self.ready() == 0, within=60, every=0.1, what="an empty queue")
        assert self.wrong(stories) == []
        assert self.count() == len(stories)

    def letters(self):
        """Return the dead letters."""
        return dead_letters.dead_letters(self.source, QUEUE, 1_000)


@pytest.fixture
def network(amqp_url, database_url):
    """A network with its queue, over each kind of database."""
    made = Network(amqp_url, database_url)
    made.declare()
    yield made
    made.service.close()


@pytest.fixture
def chance():
    """A source of random numbers whose seed is printed."""
    seed = secrets.randbits(32)
    print("seed", seed)
    return random.Random(seed)


@pytest.fixture
def spawn():
    """Return a function that starts a program of its own session; it dies with the test."""
    started_programs = []

    def start(*arguments, **environ):
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        started_programs.append(process)
        return process

    yield start
    for process in started_programs:
        end(process)


def test_192_messages_of_a_queue_become_transfers(network, chance):
    """Item 192: what came in disorder and twice is recorded once, and every message is acknowledged."""
    stories, bodies = traffic(40, chance)
    network.send(*bodies)
    network.drain(stories)
    assert network.letters() == []


def test_197_what_cannot_be_read_is_set_aside_and_stops_nothing(network, chance):
    """Item 197: each such message is in the dead-letter queue as it came, with the reason."""
    stories, bodies = traffic(10, chance)
    mixed = [*bodies, *HOSTILE_BODIES]
    chance.shuffle(mixed)
    network.send(*mixed)
    network.drain(stories)
    letters = network.letters()
    assert sorted(letter.body for letter in letters) == sorted(
        body.decode("utf-8", "backslashreplace") for body in HOSTILE_BODIES
    )
    assert all(letter.reason for letter in letters)
    assert len(network.letters()) == len(letters)


def test_213_dead_letters_of_messages_can_be_replayed(network):
    """Item 213: they go back into the queue that they came from, and what still cannot be read comes back."""
    network.send(b"no message")
    with running(network.tasks()):
        wait_until(lambda: network.ready() == 0, what="the message taken")
        wait_until(lambda: len(network.letters()) == 1, what="the dead letter")
    environ = {"MQMFT_TRANSFERLOG_URL": network.amqp}
    (found,) = deadletters.listing(Path("/nonexistent"), environ, "transferlog")
    assert found == ("transferlog", network.letters()[0])
    assert deadletters.replay(Path("/nonexistent"), environ, "transferlog", None) == 1
    assert (network.ready(), network.letters()) == (1, [])
    with running(network.tasks()):
        wait_until(lambda: network.ready() == 0, what="the message taken")
        wait_until(lambda: len(network.letters()) == 1, what="the dead letter again")


def test_213_dead_letters_of_the_hub_are_listed_although_the_broker_of_a_network_is_away(amqp_url):
    """Item 213: the broker of another system is asked last."""
    bus = RabbitBus(amqp_url)
    assert bus.dead_letters("mqmft-svc") == []
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    connection.channel().basic_publish("", "mqmft-svc.dead", b"no event")
    wait_until(lambda: bus.dead_letters("mqmft-svc"), what="the dead letter")
    connection.close()
    environ = {"MFT_AMQP_URL": amqp_url, "MQMFT_TRANSFERLOG_URL": f"amqp://127.0.0.1:{free_port()}/"}
    found = deadletters.listing(Path("/nonexistent"), environ, None)
    assert next(found)[0] == "mqmft-svc"
    with pytest.raises(Unavailable):
        next(found)


@pytest.mark.parametrize("moment", MOMENTS)
def test_197_a_worker_killed_at_a_moment_loses_and_doubles_nothing(network, chance, spawn, moment):
    """Item 197: whatever a batch had reached, it comes again and changes nothing that it had changed."""
    stories, bodies = traffic(20, chance)
    mixed = [*bodies, *HOSTILE_BODIES]
    chance.shuffle(mixed)
    network.send(*mixed)
    options = {"database": network.database, "amqp": network.amqp, "queue": QUEUE, "at": moment}
    for _ in range(2):
        options["after"] = chance.randint(1, 2)
        program = spawn("tests.servers.transferlog_program", json.dumps(options))
        assert program.wait(60) == -signal.SIGKILL
    assert network.ready() > 0
    network.drain(stories)
    assert {letter.body for letter in network.letters()} == {
        body.decode("utf-8", "backslashreplace") for body in HOSTILE_BODIES
    }


def test_197_workers_killed_at_any_time_lose_and_double_nothing(network, chance, spawn):
    """Items 192 and 197: two real workers share a queue, and are killed again and again while they record."""
    environ = {
        "MQMFT_DATABASE_URL": network.database,
        "MQMFT_COORDINATION_QMGR": "QM1",
        "MQMFT_TRANSFERLOG_URL": network.amqp,
        "MFT_AMQP_URL": network.amqp,
        "MFT_GATEWAY_URL": "http://127.0.0.1:9",
        "MFT_INTERNAL_KEYS": "k1,k2",
        "MFT_WORKER_LISTEN": "",
    }
    stories, bodies = traffic(120, chance)
    for number, most in enumerate((40, 80, 120)):
        network.send(*bodies[number::3])
        workers = [spawn("mqmft_svc.worker", **environ) for _ in range(2)]
        least = chance.randint(most - 30, most - 10)
        wait_until(lambda least=least: network.count() >= least, within=60, what="enough transfers in the record")
        for worker in workers:
            end(worker)
    network.drain(stories)
    assert network.letters() == []


def test_workers_record_messages_of_the_same_transfers_at_once(network, chance):
    """Several workers share the messages of a few transfers without deadlock, and the record is right."""
    stories, bodies = traffic(6, chance)
    many = [body for _ in range(12) for body in bodies]
    chance.shuffle(many)
    network.send(*many)
    with running([task for _ in range(3) for task in network.tasks()]):
        wait_until(lambda: not network.wrong(stories), within=60, every=0.1, what="the right record")
    network.drain(stories)
    assert network.letters() == []


def test_192_a_broker_that_goes_away_is_named_in_the_log_and_connected_to_again(
    network, chance, way, rabbitmq_server, capfd
):
    """Item 124: MQWB0406E where it cannot be reached, MQWB0407E where it was lost; nothing is lost with it."""
    logs.configure("mqmft-svc", "info")
    stories, bodies = traffic(30, chance)
    half = len(bodies) // 2
    through = rabbitmq_server.url(urlsplit(network.amqp).path.lstrip("/"), way.port)
    way.refuse()
    network.send(*bodies[:half])
    with running(network.tasks(through)):
        told = wait_until_logged(capfd, "MQWB0406E")
        way.accept()
        # The broker may deliver messages before the worker knows that it consumes.
        wait_until(lambda: network.ready() == 0 and network.count() > 0, what="the first half taken")
        way.refuse()
        told += wait_until_logged(capfd, "MQWB0407E")
        network.send(*bodies[half:])
        way.accept()
        wait_until(lambda: not network.wrong(stories), within=60, every=0.1, what="the right record")
    assert urlsplit(network.amqp).netloc not in told
    network.drain(stories)


def wait_until_logged(capfd, word):
    """Wait for a word in the log, and return what was logged meanwhile."""
    seen = []

    def logged():
        seen.append(capfd.readouterr().err)
        return word in "".join(seen)

    wait_until(logged, what=f"{word} in the log")
    return "".join(seen)


def test_a_queue_that_is_made_later_is_consumed_then(amqp_url, database_url, chance):
    """The hub makes no queue of another system, and waits for it."""
    network = Network(amqp_url, database_url)
    stories, bodies = traffic(3, chance)
    with running(network.tasks()):
        network.declare()
        network.send(*bodies)
        wait_until(lambda: not network.wrong(stories), within=60, every=0.1, what="the right record")
    network.service.close()
