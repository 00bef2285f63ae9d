"""An outbox row is deleted when it is old and every consumer of it has handled it, never by age alone."""

import pytest
import sqlalchemy as sa

from mft_common.events import FileStored
from mft_common.events.local_bus import LocalBus
from tests.servers.event_world import CONSUMER, PRODUCER, Consumer, World, deleted, running, stored, uploaded
from tests.servers.processes import wait_until

DAY_MS = 86_400_000


class Clock:
    """A clock that a test sets forward."""

    def __init__(self):
        self.ahead = 0

    def __call__(self):
        return 1_790_000_000_000 + self.ahead


@pytest.fixture
def now():
    return Clock()


@pytest.fixture
def world(database_url, tmp_path, now):
    """Return a producer and a consumer without a broker; the outbox dates its rows by the test's clock."""
    urls = (database_url, database_url)
    if database_url.startswith("sqlite"):
        urls = (database_url, f"sqlite:///{tmp_path}/consumer.db")
    made = World(*urls, None, now=now)
    made.producer.create()
    made.consumer.create()
    yield made
    made.close()


def subjects(world):
    """Return the subjects of the rows that the outbox still holds."""
    c = world.producer.outbox.table.c
    with world.producer.database.read() as connection:
        return list(connection.execute(sa.select(c.subject).order_by(c.position)).scalars())


def prune_until(world, bus, left):
    """Run the maintenance tasks until nothing but `left` is in the outbox."""
    with running(bus.maintenance_tasks(world.producer.database, world.producer.outbox)):
        wait_until(lambda: subjects(world) == left, what=f"{left} in the outbox")


@pytest.mark.parametrize("event", [stored, uploaded])
def test_an_old_event_that_its_consumer_has_not_read_stays(world, now, event):
    """A hub that was off for 31 days, or whose clock jumped ahead, still delivers what was committed before."""
    bus = world.bus(now=now)
    world.producer.commit(event("/in/unread"), deleted("/in/no-consumer"))
    now.ahead = 31 * DAY_MS
    prune_until(world, bus, ["/in/unread"])
    with running(world.consume(bus)):
        wait_until(lambda: world.consumer.count() == 1, what="the effect")
    assert world.consumer.seen() == {"/in/unread": 1}
    prune_until(world, bus, [])


def test_a_young_event_stays_although_it_was_handled(world, now):
    """Rows stay for 30 days, for restored backups and for consumers that come later."""
    bus = world.bus(now=now)
    world.producer.commit(stored("/in/old"))
    now.ahead = 31 * DAY_MS
    world.producer.commit(stored("/in/young"))
    with running(world.consume(bus)):
        wait_until(lambda: world.consumer.count() == 2, what="the effects")
    prune_until(world, bus, ["/in/young"])


def test_the_slowest_of_several_consumers_decides(world, now, tmp_path):
    """A row that one of two consumers has handled stays until the other one has handled it as well."""
    slow = Consumer(f"sqlite:///{tmp_path}/slow.db")
    slow.create()
    databases = {PRODUCER: world.producer.database, CONSUMER: world.consumer.database, "slow-svc": slow.database}
    bus = LocalBus(databases, consumers={CONSUMER: (FileStored,), "slow-svc": (FileStored,)}, now=now)
    slow_tasks = bus.consume_tasks("slow-svc", slow.database, slow.inbox, slow.handlers())
    world.producer.commit(stored("/in/a"))
    with running(world.consume(bus) + slow_tasks):
        wait_until(lambda: world.consumer.count() == slow.count() == 1, what="both effects")
    world.producer.commit(stored("/in/b"))
    with running(world.consume(bus)):
        wait_until(lambda: world.consumer.count() == 2, what="the second effect")
    now.ahead = 31 * DAY_MS
    prune_until(world, bus, ["/in/b"])
    with running(slow_tasks):
        wait_until(lambda: slow.count() == 2, what="the slow consumer's effect")
    prune_until(world, bus, [])
    slow.database.close()


def test_a_consumer_whose_database_is_not_at_hand_has_handled_nothing(world, now):
    """How far it has read is in its cursor, so its rows stay while that cannot be read."""
    world.producer.commit(stored("/in/a"), deleted("/in/b"))
    now.ahead = 31 * DAY_MS
    bus = LocalBus({PRODUCER: world.producer.database}, consumers={CONSUMER: (FileStored,)}, now=now)
    prune_until(world, bus, ["/in/a"])
