"""The buses skip and repeat nothing whatever happens to the databases at both ends."""

import psycopg
import sqlalchemy as sa

from tests.servers.event_world import running, stored
from tests.servers.processes import wait_until


def test_an_event_of_a_late_commit_is_not_skipped(make_world) -> None:
    """A transaction of PostgreSQL that began first and commits last is delivered, though its positions are lower."""
    world = make_world("local-postgresql")
    bus = world.bus()
    producer = world.producer
    with running(world.consume(bus)):
        with producer.database.write() as late:
            producer.outbox.add(late, stored("/in/late"))
            producer.commit(stored("/in/early"))
            with producer.database.read() as connection:
                assert connection.execute(sa.select(producer.outbox.table.c.subject)).scalars().all() == ["/in/early"]
        producer.commit(stored("/in/last"))
        wait_until(lambda: world.consumer.count() == 3, what="all effects")
    assert world.consumer.order() == ["/in/late", "/in/early", "/in/last"]


def test_a_consumer_outlives_the_loss_of_its_database_connections(make_world, postgresql_server) -> None:
    """Lost connections to PostgreSQL are opened anew, and no effect is lost or repeated."""
    world = make_world("rabbit-postgresql")
    bus = world.bus()
    expected = [f"/in/{number}" for number in range(600)]
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with running(world.relay(bus) + world.consume(bus)):
        for start in range(0, 600, 100):
            world.producer.commit(*map(stored, expected[start : start + 100]))
            with psycopg.connect(world.urls[0], autocommit=True) as other:
                other.execute(f"{kill} AND pid <> pg_backend_pid()")
        wait_until(lambda: world.consumer.count() >= len(expected), within=30, what="all effects")
    assert world.consumer.seen() == dict.fromkeys(expected, 1)


def test_a_database_that_is_locked_for_a_while_only_delays(make_world) -> None:
    """A consumer waits for SQLite's one writer, and then goes on."""
    world = make_world("local-sqlite")
    bus = world.bus()
    with running(world.consume(bus)):
        with world.consumer.database.write():
            world.producer.commit(stored("/in/a"))
        wait_until(lambda: world.consumer.count() == 1, what="the effect")
