"""Timers whose rows change together with other rows: firing takes the locks in the order of those who change both."""

import threading

import pytest
import sqlalchemy as sa

from mft_common import clock
from mft_common.schedules import Interval, Timers, TimerService, create_table
from tests.servers.databases import with_tables
from tests.servers.processes import wait_until

METADATA = sa.MetaData()
TIMERS = Timers(METADATA)
WORK = sa.Table("work", METADATA, sa.Column("key", sa.String(64), primary_key=True))
START = clock.parse_iso("2026-11-01T00:00Z")
HOUR = 3_600_000


@pytest.fixture
def database(database_url):
    """A database with two hourly timers and a row of work for each."""
    with with_tables(database_url, METADATA, create_table, WORK) as made:
        with made.write() as connection:
            for key in ("a", "b"):
                connection.execute(sa.insert(WORK).values(key=key))
                TIMERS.set(connection, key, Interval(1, "hours"), START, misfire="skip", payload=f"p{key}")
        yield made


def lock(connection, key):
    """Lock the row of work of a timer."""
    connection.execute(sa.select(WORK).where(WORK.c.key == key).with_for_update())


def test_the_lock_of_a_timer_is_taken_before_its_callback_and_no_other_timer_fires_under_it(database):
    """Each due timer has its own turn: its lock, then its callback."""
    seen = []

    def locked(connection, key):
        lock(connection, key)
        seen.append(("lock", key))

    service = TimerService(
        database, TIMERS, lambda _, firing: seen.append(("fire", firing.key)), now=lambda: START + HOUR, lock=locked
    )
    assert service.step() == 2
    assert seen == [("lock", "a"), ("fire", "a"), ("lock", "b"), ("fire", "b")]


def test_a_firing_waits_for_a_change_of_its_work_and_obeys_it(database):
    """The change holds the row of work and then moves the timer: neither waits for ever, and nothing fires."""
    fired, asked = [], threading.Event()

    def locked(connection, key):
        asked.set()
        lock(connection, key)

    service = TimerService(
        database, TIMERS, lambda _, firing: fired.append(firing.key), now=lambda: START + HOUR, lock=locked
    )
    worker = threading.Thread(target=service.step)
    with database.write() as connection:
        lock(connection, "a")
        worker.start()
        if database.dialect == "postgresql":
            assert asked.wait(60)
            assert wait_until(lambda: _waits(database))
        TIMERS.set(connection, "a", Interval(5, "hours", START), START, misfire="skip")
    worker.join(20)
    assert not worker.is_alive()
    assert "a" not in fired
    with database.read() as connection:
        assert TIMERS.next_times(connection)["a"] == START + 5 * HOUR


def _waits(database):
    """Return whether a session of PostgreSQL waits for a lock."""
    with database.read() as connection:
        waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return connection.execute(waiting).scalar_one() > 0


def test_the_payloads_of_timers_are_read_by_their_prefix(database):
    """The caller sees what each timer was made for, without those of others."""
    with database.read() as connection:
        assert TIMERS.payloads(connection) == {"a": "pa", "b": "pb"}
        assert TIMERS.payloads(connection, "b") == {"b": "pb"}


def test_many_timers_are_set_at_once_and_one_without_a_next_time_is_removed(database):
    """Those that are there are replaced, with their payloads, and a failure of theirs is forgotten."""
    over = Interval(1, "hours", START - 5 * HOUR, count=2)
    with database.write() as connection:
        TIMERS.failed(connection, "a", START + 2 * HOUR)
        wanted = {"a": (Interval(3, "hours", START), "new"), "b": (over, ""), "c": (Interval(2, "hours", START), "c")}
        TIMERS.set_all(connection, wanted, START, misfire="skip")
        TIMERS.set_all(connection, {}, START, misfire="skip")
        assert TIMERS.next_times(connection) == {"a": START + 3 * HOUR, "c": START + 2 * HOUR}
        assert TIMERS.payloads(connection) == {"a": "new", "c": "c"}
        assert TIMERS.next_due(connection) == START + 2 * HOUR
