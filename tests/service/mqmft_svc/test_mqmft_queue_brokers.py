"""A RabbitMQ that is killed and started again while a transfer uses it (225, 228, 229)."""

import pytest

from tests.servers.managed_transfers import item
from tests.servers.processes import wait_until
from tests.servers.queues import Queue
from tests.servers.rabbitmq import OwnRabbitMQ
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "transfer"]

OVER = {"recover": "", "stopped": False, "left": False}
QUEUE = {"type": "queue"}
MESSAGES = [b"%d," % number for number in range(50)]


@pytest.fixture(scope="module")
def broker():
    """A server of the tests' own, which may be stopped."""
    with OwnRabbitMQ() as made:
        yield made


@pytest.fixture
def moved(broker, transfer):
    """Return a function that makes a transfer into a queue, or out of one that has messages."""

    def make(direction, **changes):
        vhost = broker.new_vhost()
        url = broker.url(vhost)
        queue = Queue(url)
        queue.put_many(MESSAGES)
        # RabbitMQ 3.10 does not answer for a quorum queue after a power cut in the first moments of its life.
        wait_until(lambda: broker.waiting(vhost, "Q") == len(MESSAGES))
        agents = {"source": {"agent": "QUAY", "qmgr": "QM1"}, "destination": {"agent": "BANK", "qmgr": "QM1"}}
        if direction == "into":
            assert queue.bodies() == MESSAGES
            lines = {**QUEUE, "delimiter_type": "binary", "delimiter": "x2C"}
            wanted, files = item("a", "Q", destination_options=lines), {"a": b"".join(MESSAGES)}
        else:
            wanted, files = item("Q", "out", source_options=QUEUE), {}
        queue.close()
        agents["destination" if direction == "into" else "source"]["url"] = url
        return url, transfer(wanted, files=files, brokers=agents, patience_s=20.0, **changes)

    return make


def check_once(direction, url, one):
    """Check that everything has arrived, and nothing twice."""
    assert one.states() == ["successful"], one.one()
    queue = Queue(url)
    if direction == "into":
        assert queue.bodies() == [body.rstrip(b",") for body in MESSAGES]
    else:
        assert (one.destination / "out").read_bytes() == b"".join(MESSAGES)
        assert queue.bodies() == []
    queue.close()


@pytest.mark.parametrize("direction", ["into", "out of"])
def test_225_a_broker_that_restarts_is_tried_again_and_nothing_comes_twice(broker, moved, direction):
    """Items 225, 228 and 229: within one run, by its own further tries; before the file is whole."""
    url, one = moved(direction, retry_count=8)

    def restart(_data):
        one.before.clear()
        broker.stop()
        broker.start()

    one.before["began"] = restart
    assert one.run(recover=True) == OVER
    check_once(direction, url, one)
    assert one.one().tries > 1


@pytest.mark.parametrize("direction", ["into", "out of"])
def test_225_a_broker_that_stays_away_puts_the_transfer_into_recovery(broker, moved, direction):
    """Items 225 and 231: a broker that has answered is waited for, and the next run ends the transfer."""
    url, one = moved(direction)
    one.before["began"] = lambda _data: broker.stop()
    found = one.run(recover=True)
    broker.start()
    assert "message broker of the agent" in found["recover"]
    assert one.states() == ["moving"]
    one.before.clear()
    assert one.run(recover=True, retry_count=8) == OVER
    check_once(direction, url, one)


def test_229_a_broker_that_restarts_before_the_messages_are_removed_gives_them_to_nobody_twice(broker, moved):
    """Items 225 and 229: the file has its name already."""
    url, one = moved("out of", retry_count=8)

    def restart(_data):
        one.before.clear()
        broker.stop()
        broker.start()

    one.before["delivered"] = restart
    assert one.run(recover=True) == OVER
    check_once("out of", url, one)
