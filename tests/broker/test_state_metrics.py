"""Outbox, dead letters and disk of a service as its worker measures them, over every bus and database."""

import shutil
import threading
from pathlib import Path

from prometheus_client import REGISTRY

from mft_common.clock import now_ms
from mft_common.events import RetryPolicy
from mft_common.state_metrics import StateMetrics
from tests.servers.event_world import CONSUMER, PRODUCER, World, running, stored
from tests.servers.processes import wait_until


def value(name: str, service: str) -> float | None:
    """Return the value of a gauge of a service."""
    return REGISTRY.get_sample_value(name, {"service": service})


def test_the_outbox_has_a_length_and_an_age_until_it_is_delivered(world: World) -> None:
    """A minute after five events they are a minute old; once they are delivered both gauges are 0."""
    bus = world.bus()
    later = StateMetrics(PRODUCER, world.producer.database, bus, now=lambda: now_ms() + 60_000)
    world.producer.commit(*(stored(f"/{number}") for number in range(5)))
    later.measure()
    assert value("mft_outbox_events", PRODUCER) == 5
    age = value("mft_outbox_oldest_seconds", PRODUCER)
    assert age is not None
    assert age >= 60

    def delivered() -> bool:
        later.measure()
        return value("mft_outbox_events", PRODUCER) == 0

    with running(world.relay(bus) + world.consume(bus)):
        wait_until(delivered, every=0.1, what="an empty outbox")
    assert value("mft_outbox_oldest_seconds", PRODUCER) == 0


def test_an_event_that_is_given_up_is_a_dead_letter_until_it_is_replayed(world: World) -> None:
    """The consumer's gauge counts it; the producer has none."""
    bus = world.bus(retries=RetryPolicy(attempts=1))
    metrics = StateMetrics(CONSUMER, world.consumer.database, bus)

    def fail(_path: str) -> None:
        raise ValueError("bad")

    def dead(count: int) -> bool:
        metrics.measure()
        return value("mft_dead_letters", CONSUMER) == count

    assert dead(0)
    world.producer.commit(stored("/bad"))
    with running(world.relay(bus) + world.consume(bus, fail)):
        wait_until(lambda: dead(1), every=0.1, what="the dead letter")
    bus.replay(CONSUMER)
    with running(world.consume(bus)):
        wait_until(lambda: dead(0), every=0.1, what="no dead letter")


def test_a_state_folder_that_is_not_made_yet_is_measured_where_it_will_be(world: World, tmp_path: Path) -> None:
    """Some services make theirs with their first work where the database is PostgreSQL; the rest is measured too."""
    StateMetrics(PRODUCER, world.producer.database, world.bus(), folder=tmp_path / "state" / PRODUCER).measure()
    assert value("mft_disk_size_bytes", PRODUCER) == shutil.disk_usage(tmp_path).total
    assert value("mft_state_measured_timestamp_seconds", PRODUCER)


def test_the_task_measures_at_once_and_ends_when_it_is_told(world: World) -> None:
    """A worker that has just started can be seen; the time of the measurement is that of the clock."""
    stop, before = threading.Event(), now_ms() / 1000
    task = StateMetrics(PRODUCER, world.producer.database, world.bus()).task()
    thread = threading.Thread(target=task.run, args=(stop,))
    thread.start()
    wait_until(lambda: (value("mft_state_measured_timestamp_seconds", PRODUCER) or 0) >= before, what="a measurement")
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
