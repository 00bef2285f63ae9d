"""Events whose next try lies in the far future, because the clock was ahead for a while, do not wait for it."""

import pytest

from mft_common.events import relay_queue
from mft_common.events.delivery import Delivery, RetryPolicy
from tests.servers.event_world import CONSUMER, running, stored
from tests.servers.processes import wait_until

MONTH_MS = 31 * 86_400_000


class Clock:
    def __init__(self):
        self.ahead = MONTH_MS

    def __call__(self):
        return 1_790_000_000_000 + self.ahead


@pytest.fixture
def now():
    return Clock()


def test_a_failed_event_is_retried_after_the_clock_was_set_back(world, now):
    """A next try that is further away than the longest pause was written by a clock that was ahead."""
    consumer, policy = world.consumer, RetryPolicy(first_pause=1_000)
    failing = [True]

    def fail(_path):
        if failing:
            raise ValueError("not yet")

    delivery = Delivery(CONSUMER, consumer.database, consumer.inbox, consumer.handlers(fail), retries=policy, now=now)
    world.producer.commit(stored("/in/a"))
    with running(
        world.bus(now=now).consume_tasks(CONSUMER, consumer.database, consumer.inbox, consumer.handlers(fail))
    ):
        wait_until(lambda: failures(consumer) == 1, what="the stored failure")
    assert delivery.retry_due() == 0
    failing.clear()
    now.ahead = 0
    assert delivery.retry_due() == 1
    assert consumer.seen() == {"/in/a": 1}


def test_a_postponed_row_is_relayed_after_the_clock_was_set_back(world, now):
    """A pause longer than any that the relay sets was written by a clock that was ahead."""
    world.producer.commit(stored("/in/a"))
    with world.producer.database.write() as connection:
        relay_queue.postpone(connection, relay_queue.fetch_unpublished(connection, now(), 10), now())
        assert relay_queue.fetch_unpublished(connection, now(), 10) == []
        now.ahead = 0
        assert [row.subject for row in relay_queue.fetch_unpublished(connection, now(), 10)] == ["/in/a"]


def failures(consumer):
    """Return how many failures the consumer's inbox holds."""
    with consumer.database.read() as connection:
        return len(connection.execute(consumer.inbox.failures.select()).all())
