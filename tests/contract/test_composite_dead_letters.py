"""A composite that an earlier program could not read is read when a newer program replays it."""

import pytest
import sqlalchemy as sa

from mft_common.events import RetryPolicy
from mft_common.events.delivery import Delivery
from mft_common.events.inbox import Failures, Unreadable
from mft_common.events.outbox_rows import rendered_unread
from tests.servers.event_world import CONSUMER, PRODUCER, World, uploaded
from tests.servers.outboxes import ROWS, Row


@pytest.fixture
def world(tmp_path):
    """Return a producer and a consumer on one machine."""
    made = World(f"sqlite:///{tmp_path}/producer.db", f"sqlite:///{tmp_path}/consumer.db", None)
    made.producer.create()
    made.consumer.create()
    yield made
    made.close()


def replayed(world, data=None):
    """Commit a composite, keep its row as one that cannot be read, and replay it; return the consumer's delivery."""
    world.producer.commit(uploaded("/in/a"))
    with world.producer.database.read() as connection:
        row = Row(*connection.exec_driver_sql(ROWS).one())
    consumer = world.consumer
    delivery = Delivery(CONSUMER, consumer.database, consumer.inbox, consumer.handlers(), retries=RetryPolicy())
    body = rendered_unread(PRODUCER, row if data is None else row._replace(data=data))
    delivery.apply((), [Unreadable(PRODUCER, row.id, row.type, row.subject, body, "a newer program wrote it")])
    with consumer.database.write() as connection:
        Failures(consumer.inbox).replay(connection, None, 0)
    return delivery


def test_its_part_has_its_effect_once(world):
    """The event of the consumer's type is taken out of it, under the id that any other delivery of it has."""
    delivery = replayed(world)
    assert delivery.retry_due() == 1
    assert world.consumer.seen() == {"/in/a": 1}
    assert world.bus().dead_letters(CONSUMER) == []


@pytest.mark.parametrize("data", ["{}", "[]", "no JSON", "null"])
def test_a_broken_composite_waits_for_its_next_try(world, data):
    """It is tried, has no effect, and one failure is counted."""
    delivery = replayed(world, data)
    assert delivery.retry_due() == 1
    assert world.consumer.seen() == {}
    with world.consumer.database.read() as connection:
        assert connection.execute(sa.select(world.consumer.inbox.failures.c.attempts)).scalar_one() == 1
