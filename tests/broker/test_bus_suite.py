"""One suite for every bus, over both buses and both databases, against real servers."""

import threading

import pytest
import sqlalchemy as sa

from mft_common import logs
from tests.servers.event_world import CONSUMER, PRODUCER, TOPOLOGY, World, deleted, running, stored, uploaded
from tests.servers.processes import end, wait_until


def paths(count: int) -> list[str]:
    """Return `count` paths."""
    return [f"/in/{number:05d}.csv" for number in range(count)]


def everything_once(world: World, expected: list[str]) -> bool:
    """Return whether each path had its effect once, and no other path had any."""
    return world.consumer.seen() == dict.fromkeys(expected, 1)


def add_and_fail(world: World) -> None:
    """Add an event in a transaction that then fails."""
    with world.producer.database.write() as connection:
        world.producer.outbox.add(connection, stored("/in/never"))
        connection.execute(world.producer.outbox.table.insert().inline(), {"id": "without the rest"})


def test_a_committed_event_has_its_effect_once(world: World) -> None:
    """Every event that was committed has its effect, and a second run of the workers adds nothing."""
    bus = world.bus()
    expected = paths(700)
    world.producer.commit(*map(stored, expected[:600]))
    with running(world.relay(bus) + world.consume(bus)):
        for path in expected[600:]:
            world.producer.commit(stored(path), deleted(path))
        wait_until(lambda: world.consumer.count() == len(expected), what="all effects")
    world.producer.commit(stored("/in/last"))
    with running(world.relay(bus) + world.consume(bus)):
        wait_until(lambda: world.consumer.seen()["/in/last"], what="the last effect")
    assert everything_once(world, [*expected, "/in/last"])


def test_an_event_that_was_rolled_back_is_never_delivered(world: World) -> None:
    """An event whose transaction fails has no effect."""
    bus = world.bus()
    with running(world.relay(bus) + world.consume(bus)):
        with pytest.raises(sa.exc.IntegrityError):
            add_and_fail(world)
        world.producer.commit(stored("/in/after"))
        wait_until(lambda: world.consumer.count() > 0, what="the effect")
    assert everything_once(world, ["/in/after"])


def test_a_handler_works_under_the_request_id_of_the_cause(world: World) -> None:
    """The correlation id is delivered, and is in the log lines and events of the handler."""
    seen: list[str] = []
    bus = world.bus()
    with logs.request_scope("f" * 32):
        world.producer.commit(stored("/in/a"))
    with running(world.relay(bus) + world.consume(bus, lambda _path: seen.append(logs.request_id()))):
        wait_until(lambda: world.consumer.count() == 1, what="the effect")
    assert seen == ["f" * 32]


def test_an_event_that_fails_at_first_does_not_delay_the_others(world: World) -> None:
    """Others overtake an event whose handler fails, and it has its effect when the handler recovers."""
    bus = world.bus()
    failures = iter(range(2))
    expected = paths(20)

    def fail_twice(path: str) -> None:
        if path == expected[3] and next(failures, None) is not None:
            raise ValueError("not yet")

    world.producer.commit(*map(stored, expected))
    with running(world.relay(bus) + world.consume(bus, fail_twice)):
        wait_until(lambda: world.consumer.count() == len(expected), what="all effects")
    assert everything_once(world, expected)


def test_a_poison_event_ends_among_the_dead_letters_and_can_be_replayed(world: World) -> None:
    """Events that fail for good are listed with their reasons, and replay delivers them once the handler is mended."""
    bus = world.bus()
    expected = paths(30)
    poison = expected[5:7]

    def fail(path: str) -> None:
        if path in poison:
            raise ValueError(f"cannot read {path}")

    world.producer.commit(*map(stored, expected))
    with running(world.relay(bus) + world.consume(bus, fail)):
        wait_until(lambda: len(bus.dead_letters(CONSUMER)) == 2, what="two dead letters", every=0.1)
        wait_until(lambda: world.consumer.count() == 28, what="the others' effects")
    wait_until(lambda: bus.count_dead_letters(CONSUMER) == 2, what="the count of both")
    first, second = bus.dead_letters(CONSUMER)
    assert [first, second] == bus.dead_letters(CONSUMER) == bus.dead_letters(CONSUMER)
    assert {first.subject, second.subject} == set(poison)
    assert first.reason == f"ValueError: cannot read {first.subject}"
    assert (first.source, first.type, first.attempts) == (PRODUCER, "file.stored.v1", 3)
    assert first.time > 0
    assert bus.replay(CONSUMER, [second.id]) == 1
    with running(world.consume(bus)):
        wait_until(lambda: world.consumer.seen()[second.subject] == 1, what="the replayed effect")
        assert bus.dead_letters(CONSUMER) == [first]
        assert bus.replay(CONSUMER) == 1
        wait_until(lambda: world.consumer.count() == 30, what="all effects")
    assert everything_once(world, expected)
    assert bus.dead_letters(CONSUMER) == []
    wait_until(lambda: bus.count_dead_letters(CONSUMER) == 0, what="the count of none")


def test_two_consumers_of_one_service_repeat_no_effect(world: World) -> None:
    """Consumers that share a service's events handle each of them once between them."""
    first, second = world.bus(), world.bus()
    expected = paths(600)
    with running(world.relay(first) + world.consume(first) + world.consume(second)):
        for start in range(0, 600, 50):
            world.producer.commit(*map(stored, expected[start : start + 50]))
        wait_until(lambda: world.consumer.count() >= len(expected), what="all effects")
    assert everything_once(world, expected)


def test_a_consumer_killed_before_its_commit_leaves_the_work_to_the_next(world: World, spawn) -> None:
    """A process that dies in a handler has had no effect; the next consumer handles each event once."""
    bus = world.bus()
    expected = paths(10)
    world.producer.commit(*map(stored, expected))
    with running(world.relay(bus)):
        victim = spawn("consume", world, hang_on=expected[7])
        assert victim.stdout.readline() == b"hanging\n"
        end(victim)
        assert world.consumer.seen()[expected[7]] == 0
        with running(world.consume(bus)):
            wait_until(lambda: world.consumer.count() == len(expected), what="all effects")
    assert everything_once(world, expected)


def test_the_backlog_counts_waiting_events(world: World) -> None:
    """The backlog counts committed events that are not delivered, and has the time of the oldest one."""
    bus = world.bus()
    assert bus.backlog(PRODUCER, world.producer.database).events == 0
    world.producer.commit(*map(stored, paths(5)))
    waiting = bus.backlog(PRODUCER, world.producer.database)
    assert waiting.events == 5
    assert waiting.oldest is not None
    with running(world.relay(bus) + world.consume(bus)):
        wait_until(lambda: bus.backlog(PRODUCER, world.producer.database).events == 0, what="no backlog")


def test_the_parts_of_a_composite_are_delivered(world: World) -> None:
    """A consumer of one part of a composite has its effect once, among events with rows of their own."""
    bus = world.bus()
    world.producer.commit(uploaded("/in/a"), stored("/in/b"), uploaded("/in/c"))
    assert bus.backlog(PRODUCER, world.producer.database).events == (3 if world.amqp is None else 7)
    with running(world.relay(bus) + world.consume(bus)):
        wait_until(lambda: world.consumer.count() == 3, what="the effects")
        wait_until(lambda: bus.backlog(PRODUCER, world.producer.database).events == 0, what="no backlog")
    # Two consumers share the messages on PostgreSQL, so that there is no order among different files.
    assert everything_once(world, ["/in/a", "/in/b", "/in/c"])


def test_a_broken_composite_does_not_delay_other_events(world: World) -> None:
    """Events after a row that cannot be read are delivered, and the row is kept for an operator."""
    bus = world.bus()
    with world.producer.database.write() as connection:
        row = world.producer.outbox.rows([uploaded("/in/broken")], "r")[0]
        world.producer.outbox.write(connection, [{**row, "data": "{}"}])
    world.producer.commit(uploaded("/in/a"))
    with running(world.relay(bus) + world.consume(bus)):
        wait_until(lambda: world.consumer.count() == 1, what="the effect")
    assert everything_once(world, ["/in/a"])
    if world.amqp is None:
        assert "path" in bus.dead_letters(CONSUMER)[0].reason
    else:
        assert world.producer.unpublished() == 1


def test_a_bus_whose_servers_answer_is_ready(world: World) -> None:
    """Readiness passes while databases and broker answer."""
    world.bus().check()


def test_handlers_must_match_the_topology(world: World) -> None:
    """A consumer that lacks a handler is refused at start, before an event is lost."""
    consumer = world.consumer
    with pytest.raises(ValueError, match=r"file\.stored\.v1"):
        world.bus().consume_tasks(CONSUMER, consumer.database, consumer.inbox, {})
    assert set(TOPOLOGY) == {CONSUMER}


def test_an_event_without_a_consumer_is_passed_over(world: World) -> None:
    """Events without a consumer neither arrive nor stay in the backlog."""
    bus = world.bus()
    world.producer.commit(*map(deleted, paths(450)), stored("/in/a"))
    with running(world.relay(bus) + world.consume(bus)):
        wait_until(lambda: world.consumer.count() == 1, what="the effect")
        wait_until(lambda: bus.backlog(PRODUCER, world.producer.database).events == 0, what="no backlog")
    assert bus.dead_letters(CONSUMER) == []


def test_a_worker_stops_soon(world: World) -> None:
    """Stopping takes no longer than the current batch."""
    bus = world.bus()
    seen = threading.Event()
    world.producer.commit(stored("/in/a"))
    with running(world.relay(bus) + world.consume(bus, lambda _path: seen.set())):
        assert seen.wait(20)
    with world.consumer.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(world.consumer.inbox.table)).scalar_one() == 1
