"""A producer and a consumer on one machine, for the tests of the bus without a broker."""

import pytest

from tests.servers.event_world import World


@pytest.fixture
def world(tmp_path):
    """Return a producer and a consumer without a broker."""
    made = World(f"sqlite:///{tmp_path}/producer.db", f"sqlite:///{tmp_path}/consumer.db", None)
    made.producer.create()
    made.consumer.create()
    yield made
    made.close()
