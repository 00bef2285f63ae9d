"""Producers whose databases do not answer, or lack their tables, hold up no event of another producer."""

import pytest
import sqlalchemy as sa

from mft_common.database import Database
from mft_common.events import LocalBus
from tests.servers.event_world import CONSUMER, PRODUCER, QUICK_RETRIES, TOPOLOGY, Producer, running, stored
from tests.servers.processes import wait_until

# So many that the one that works is hardly ever asked before all of them.
_MANY = 12


def opened(url, name):
    """Return a database without tables."""
    return Database(url, schema=name, metadata=sa.MetaData(), migrations="", head="")


@pytest.fixture(params=["away", "without tables"])
def producers(request, tmp_path):
    """Return databases that no outbox can be read from, by their services' names."""
    at = "postgresql://127.0.0.1:1/x" if request.param == "away" else f"sqlite:///{tmp_path}/{{}}.db"
    made = {name: opened(at.format(name), name) for name in (f"other{number}-svc" for number in range(_MANY))}
    yield made
    for database in made.values():
        database.close()


def test_events_of_a_producer_arrive_while_others_cannot_be_read(world, producers):
    """Each producer's outbox is tried on its own, and the next event arrives as soon."""
    databases = {**producers, PRODUCER: world.producer.database, CONSUMER: world.consumer.database}
    bus = LocalBus(databases, consumers=TOPOLOGY, retries=QUICK_RETRIES)
    with running(world.consume(bus)):
        for number in (1, 2):
            world.producer.commit(stored(f"/in/{number}"))
            wait_until(lambda: world.consumer.count() == number, within=10)  # noqa: B023 -- called within the round


def test_a_producer_whose_tables_come_later_is_read(world, tmp_path):
    """A failed outbox is tried again until it can be read."""
    late = Producer(f"sqlite:///{tmp_path}/late.db", "late-svc")
    databases = {"late-svc": late.database, PRODUCER: world.producer.database, CONSUMER: world.consumer.database}
    bus = LocalBus(databases, consumers=TOPOLOGY, retries=QUICK_RETRIES)
    with running(world.consume(bus)):
        world.producer.commit(stored("/in/1"))
        wait_until(lambda: world.consumer.count() == 1, within=10)
        late.create()
        late.commit(stored("/in/2"))
        wait_until(lambda: world.consumer.seen() == {"/in/1": 1, "/in/2": 1}, within=20)
    late.database.close()
