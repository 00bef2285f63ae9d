"""Handled events are counted once each, however often they come."""

import itertools

import pytest
from prometheus_client import REGISTRY

from mft_common.events import Agent, Envelope, Originator, Totals, TransferEnded, event_metrics
from mft_common.events.delivery import Delivery, RetryPolicy
from tests.servers.event_world import CONSUMER, PRODUCER, Consumer, stored

TYPE = "file.stored.v1"
_numbers = itertools.count(1)


@pytest.fixture
def consumer(tmp_path):
    made = Consumer(f"sqlite:///{tmp_path}/consumer.db")
    made.create()
    yield made
    made.database.close()


def envelope(path, data=None):
    data = data or stored(path)
    return Envelope(
        id=f"metrics-{next(_numbers)}", source=PRODUCER, type=data.TYPE, subject=data.subject(), time=1,
        correlationid="r", sequence=1, data=data,
    )  # fmt: skip


def counted():
    return REGISTRY.get_sample_value("mft_events_handled_total", {"service": CONSUMER, "type": TYPE}) or 0


def test_an_event_that_comes_twice_is_counted_once(consumer):
    """The inbox knows the second one."""
    delivery = Delivery(CONSUMER, consumer.database, consumer.inbox, consumer.handlers(), retries=RetryPolicy())
    before, one = counted(), envelope("/a")
    delivery.apply([one])
    delivery.apply([one, envelope("/b")])
    assert counted() - before == 2


def test_an_event_whose_handler_fails_is_counted_when_it_is_handled(consumer):
    """Others of its batch count at once, and it counts after the retry that succeeds."""
    failing = {"/bad"}

    def fail(path):
        if path in failing:
            raise ValueError(path)

    policy = RetryPolicy(first_pause=0, longest_pause=0)
    delivery = Delivery(CONSUMER, consumer.database, consumer.inbox, consumer.handlers(fail), retries=policy)
    before = counted()
    delivery.apply([envelope("/bad"), envelope("/good")])
    assert counted() - before == 1
    failing.clear()
    assert delivery.retry_due() == 1
    assert counted() - before == 2


def test_the_end_of_a_transfer_counts_state_bytes_and_duration():
    """The duration lasts from the acceptance of the transfer to its end."""
    ended = TransferEnded(
        transfer_id="A" * 48, protocol="sample", state="failed", totals=Totals(files=1, bytes_sent=500),
        source_agent=Agent(name="A"), destination_agent=Agent(name="B"), originator=Originator(account="a", host="h"),
        submitted_at=1_000, ended_at=3_500, items=(),
    )  # fmt: skip
    event_metrics.count("mqmft-svc", [envelope("", ended)])
    value = REGISTRY.get_sample_value
    assert value("mft_transfers_total", {"protocol": "sample", "state": "failed"}) == 1
    assert value("mft_transfer_bytes_total", {"protocol": "sample"}) == 500
    assert value("mft_transfer_seconds_sum", {"protocol": "sample"}) == 2.5
