"""A compound that an older program could not read, and that a newer one is asked to try again."""

import pytest
import sqlalchemy as sa

from mft_common.events import RetryPolicy
from mft_common.events.delivery import Delivery
from mft_common.events.inbox import Failures
from mft_common.events.outbox_queries import raw
from tests.servers.event_world import CONSUMER, PRODUCER, World, uploaded
from tests.servers.outboxes import ROWS, Row


@pytest.fixture
def world(tmp_path):
    """Return a producer and a consumer on one machine."""
    made = World(f"sqlite:///{tmp_path}/producer.db", f"sqlite:///{tmp_path}/consumer.db", None)
    made.producer.create()
    made.consumer.create()
    yield made
    made.producer.database.close()
    made.consumer.database.close()


def given_up(world, data=None):
    """Commit a compound, and keep its row as one that could not be read."""
    world.producer.commit(uploaded("/in/a"))
    with world.producer.database.read() as connection:
        row = Row(*connection.exec_driver_sql(ROWS).one())
    names = {"source": PRODUCER, "id": row.id, "type": row.type, "subject": row.subject}
    consumer = world.consumer
    delivery = Delivery(CONSUMER, consumer.database, consumer.inbox, consumer.handlers(), patience=RetryPolicy())
    body = raw(PRODUCER, row if data is None else row._replace(data=data))
    with consumer.database.write() as connection:
        delivery.keep_unreadable(connection, names, body, "a newer program wrote it")
        Failures(consumer.inbox).replay(connection, None, 0)
    return delivery


def test_its_part_has_its_effect_once(world):
    """What this consumer is told of is taken out of it, under the id that any other delivery of it has."""
    delivery = given_up(world)
    assert delivery.retry_due() == 1
    assert world.consumer.seen() == {"/in/a": 1}
    assert world.bus().dead_letters(CONSUMER) == []


@pytest.mark.parametrize("data", ["{}", "[]", "no JSON", "null"])
def test_one_that_is_really_broken_stays(world, data):
    """It is tried, has no effect, and waits for its next try."""
    delivery = given_up(world, data)
    assert delivery.retry_due() == 1
    assert world.consumer.seen() == {}
    with world.consumer.database.read() as connection:
        assert connection.execute(sa.select(world.consumer.inbox.failures.c.attempts)).scalar_one() == 1
