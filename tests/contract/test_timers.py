"""Timers on both kinds of database: fired once by several workers, through crashes, freezes and jumps of the clock."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from datetime import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from mft_common import clock
from mft_common.schedules import (
    Cron,
    Daily,
    Interval,
    Timers,
    TimerService,
    create_table,
    drop_table,
    time_zone,
    timers_task,
)
from tests.servers.databases import Op, with_tables
from tests.servers.processes import wait_until

METADATA = sa.MetaData()
TIMERS = Timers(METADATA, frozen=3.0)
FIRED = sa.Table(
    "fired",
    METADATA,
    sa.Column("worker", sa.String(64)),
    sa.Column("key", sa.String(255)),
    sa.Column("due_at", sa.BigInteger),
    sa.Column("missed", sa.Boolean),
)
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = clock.parse_iso("2026-11-01T00:00Z")


@pytest.fixture
def database(database_url):
    """A database with the table as a migration makes it, and a table of what fired."""
    with with_tables(database_url, METADATA, create_table, FIRED) as made:
        yield made


class Worker:
    """A worker with a clock that a test sets; `errors` are raised by its next firings."""

    def __init__(self, database, name="w"):
        self.at, self.errors = START, []
        self.name = name
        self.service = TimerService(database, TIMERS, self._record, grace=MINUTE, now=lambda: self.at)

    def _record(self, connection, firing):
        values = {"worker": self.name, "key": firing.key, "due_at": firing.due_at, "missed": firing.missed}
        connection.execute(sa.insert(FIRED).values(values))
        if self.errors:
            raise self.errors.pop(0)

    def step(self, at):
        self.at = START + at
        return self.service.step()


@pytest.fixture
def worker(database):
    return Worker(database)


def set_timer(database, key, schedule, misfire="skip", at=0, **more):
    with database.write() as connection:
        return TIMERS.set(connection, key, schedule, START + at, misfire=misfire, **more)


def fired(database, key=None):
    """Return what fired, as distances from the start, those that were only reported as missed negative."""
    with database.read() as connection:
        rows = connection.execute(sa.select(FIRED).order_by(FIRED.c.due_at))
        found = [(row.key, (row.due_at - START) * (-1 if row.missed else 1)) for row in rows]
    return [at for name, at in found if name == key] if key else found


def next_times(database, prefix=""):
    with database.read() as connection:
        return {key: at - START for key, at in TIMERS.next_times(connection, prefix).items()}


def test_a_timer_fires_at_each_time_once_and_moves_on(database, worker):
    """Before its time nothing happens; at it, once, however often it is looked at."""
    assert set_timer(database, "a", Interval(1, "hours"), payload="p") == START + HOUR
    assert worker.step(HOUR - 1) == 0
    assert (worker.step(HOUR), worker.step(HOUR), worker.step(HOUR + 900)) == (1, 0, 0)
    assert worker.step(2 * HOUR + 1) == 1
    assert fired(database) == [("a", HOUR), ("a", 2 * HOUR)]
    assert next_times(database) == {"a": 3 * HOUR}


def test_a_timer_for_one_time_is_gone_after_it_fired(database, worker):
    """A delayed job or a scheduled transfer runs once, also hours late."""
    with database.write() as connection:
        TIMERS.set_once(connection, "once", START + HOUR, START)
        TIMERS.set_once(connection, "late", START + HOUR, START, misfire="skip")
    assert worker.step(5 * HOUR) == 2
    assert fired(database) == [("once", HOUR)]
    assert next_times(database) == {}


def test_a_schedule_without_a_next_time_leaves_no_timer(database, worker):
    """The row goes with the last occurrence, and none is made for a schedule that is over."""
    set_timer(database, "two", Interval(1, "hours", START + HOUR, count=2))
    worker.step(HOUR)
    worker.step(2 * HOUR)
    assert (fired(database, "two"), next_times(database)) == ([HOUR, 2 * HOUR], {})
    assert set_timer(database, "two", Interval(1, "hours", START, count=1)) is None
    assert next_times(database) == {}


@pytest.mark.parametrize(
    ("misfire", "expected"),
    [("skip", [3 * HOUR]), ("once", [3 * HOUR]), ("record", [3 * HOUR, -2 * HOUR])],
)
def test_after_three_due_times_the_one_that_is_not_late_fires(database, worker, misfire, expected):
    """A worker comes back 30 s after the third of three times: that one is not missed, whatever the rule."""
    set_timer(database, "a", Interval(1, "hours"), misfire)
    worker.step(3 * HOUR + 30_000)
    assert sorted(fired(database), key=lambda row: -row[1]) == [("a", at) for at in expected]
    assert next_times(database) == {"a": 4 * HOUR}


@pytest.mark.parametrize(("misfire", "expected"), [("skip", []), ("once", [3 * HOUR]), ("record", [-3 * HOUR])])
def test_a_worker_stopped_over_three_due_times_follows_the_misfire_rule(database, worker, misfire, expected):
    """`skip` forgets them, `once` runs for the last one, `record` reports the last one; then the schedule goes on."""
    set_timer(database, "a", Interval(1, "hours"), misfire)
    for again in range(3):
        worker.step(3 * HOUR + 20 * MINUTE + again)
    assert fired(database, "a") == expected
    assert next_times(database) == {"a": 4 * HOUR}
    worker.step(4 * HOUR)
    assert fired(database, "a") == sorted([*expected, 4 * HOUR])


def test_the_last_missed_time_is_found_without_walking_over_all(database, worker):
    """A timer of every second that was away for a year fires once, for its last time."""
    set_timer(database, "a", Interval(1), "once")
    worker.step(365 * DAY + 400)
    assert fired(database, "a") == [365 * DAY]


def test_a_failed_callback_is_tried_again_later_and_holds_up_no_other(database, worker):
    """A failed try stores nothing; the due time stays, and its rule stays that of its first try."""
    set_timer(database, "bad", Interval(1, "hours"), "skip")
    set_timer(database, "good", Interval(1, "hours"), "skip")
    worker.errors = [RuntimeError("first")]
    assert worker.step(HOUR) == 2
    assert fired(database) == [("good", HOUR)]
    assert worker.step(HOUR + 999) == 0
    worker.errors = [RuntimeError("second")]
    assert worker.step(HOUR + 5 * MINUTE) == 1
    assert fired(database, "bad") == []
    assert worker.step(HOUR + 10 * MINUTE) == 1
    assert fired(database, "bad") == [HOUR]
    assert next_times(database)["bad"] == 2 * HOUR


@pytest.mark.parametrize(
    "damage",
    [
        {"schedule": "{"},
        {"schedule": '{"every": "1 fortnight"}'},
        {"schedule": '{"daily": ["06:30:00"], "time_zone": "Europe/Atlantis"}'},
        {"misfire": "sometimes"},
    ],
    ids=["json", "interval", "zone", "misfire"],
)
def test_a_timer_whose_row_cannot_be_read_is_set_aside_and_stops_no_other(database, worker, damage):
    """It is listed with the reason, and fires again once it was set anew; nothing of it is lost."""
    set_timer(database, "bad", Interval(1, "hours"), misfire="once")
    set_timer(database, "good", Interval(1, "hours"))
    with database.write() as connection:
        connection.execute(sa.update(METADATA.tables["timer"]).where(sa.column("key") == "bad").values(damage))
    assert worker.step(HOUR) == 2
    assert worker.step(2 * HOUR) == 1
    assert fired(database) == [("good", HOUR), ("good", 2 * HOUR)]
    assert next_times(database) == {"bad": HOUR, "good": 3 * HOUR}
    with database.read() as connection:
        assert list(TIMERS.set_aside(connection)) == ["bad"]
        assert TIMERS.set_aside(connection, "g") == {}
        assert TIMERS.set_aside(connection)["bad"]
        assert TIMERS.next_due(connection) == START + 3 * HOUR
    set_timer(database, "bad", Interval(1, "hours"), misfire="once", at=2 * HOUR)
    worker.step(3 * HOUR)
    assert fired(database, "bad") == [3 * HOUR]
    with database.read() as connection:
        assert TIMERS.set_aside(connection) == {}


def test_a_row_that_cannot_be_read_stops_no_correction_of_the_clock(database, worker):
    """The others are counted anew when the clock was set back."""
    for key in ("bad", "good"):
        set_timer(database, key, Interval(1, "hours"), at=30 * DAY)
    with database.write() as connection:
        connection.execute(sa.update(METADATA.tables["timer"]).where(sa.column("key") == "bad").values(schedule="["))
    worker.service.correct()
    assert next_times(database)["good"] == HOUR
    with database.read() as connection:
        assert list(TIMERS.set_aside(connection)) == ["bad"]


def test_a_report_of_a_missed_time_that_failed_is_a_report_again(database, worker):
    """A second try does not turn a missed time into one that is carried out."""
    set_timer(database, "a", Interval(1, "hours"), "record")
    worker.errors = [RuntimeError("no")]
    worker.step(3 * HOUR + 20 * MINUTE)
    worker.step(3 * HOUR + 21 * MINUTE)
    assert fired(database) == [("a", -3 * HOUR)]


def test_setting_a_timer_again_keeps_its_time_unless_the_schedule_changed(database, worker):
    """A restart does not hide what was missed; a new schedule begins at its own next time."""
    set_timer(database, "a", Daily((time(6),)), "once")
    set_timer(database, "a", Daily((time(6),)), "record", at=2 * DAY, payload="new")
    assert next_times(database) == {"a": 6 * HOUR}
    worker.step(2 * DAY)
    assert fired(database, "a") == [-(DAY + 6 * HOUR)]
    set_timer(database, "a", Cron("0 12 * * *", time_zone("Europe/Amsterdam")), at=2 * DAY)
    assert next_times(database) == {"a": 2 * DAY + 11 * HOUR}


def test_timers_are_kept_by_prefix(database):
    """Timers that the configuration does not name any more are removed; other prefixes are not touched."""
    for key in ("job_x/a", "job_x/b", "jobsx/c"):
        set_timer(database, key, Interval(1, "hours"))
    with database.write() as connection:
        TIMERS.keep_only(connection, "job_x/", ["job_x/b", "job_x/none"])
    assert next_times(database).keys() == {"job_x/b", "jobsx/c"}
    with database.write() as connection:
        TIMERS.remove(connection, "job_x/b", "gone")
    assert next_times(database, "job") == {"jobsx/c": HOUR}


@pytest.mark.parametrize("schedule", [Interval(1, "minutes"), Cron("* * * * *"), Cron("0 12 * * *")])
def test_a_clock_that_steps_back_repeats_nothing_and_one_that_was_far_ahead_loses_nothing(database, worker, schedule):
    """A step of a minute fires no time again; after a year too far ahead the times of the true clock come."""
    set_timer(database, "a", schedule)
    noon = 12 * HOUR
    assert worker.step(noon) == 1
    before = fired(database)
    worker.at = START + noon - MINUTE
    worker.service.correct()
    assert worker.step(noon - MINUTE) + worker.step(noon) == 0
    worker.step(400 * DAY)
    worker.at = START + 2 * DAY
    worker.service.correct()
    assert worker.step(2 * DAY + noon) == 1
    assert fired(database)[: len(before) + 1] == [*before, ("a", 2 * DAY + noon)]


def test_a_timer_made_by_a_clock_that_was_ahead_is_counted_anew(database, worker):
    """A service that started with a wrong clock does not wait for the time that it showed."""
    set_timer(database, "a", Interval(1, "hours"), at=365 * DAY)
    worker.at = START
    worker.service.correct()
    assert next_times(database) == {"a": HOUR}


def test_the_task_fires_by_the_clock_of_the_machine(database):
    """The loop of a worker waits for the next due time and ends when it is told to."""
    worker = Worker(database)
    worker.service.now = clock.now_ms
    with database.write() as connection:
        TIMERS.set_once(connection, "a", clock.now_ms() + 150, clock.now_ms())
    stop = threading.Event()
    thread = threading.Thread(target=timers_task("timers", worker.service, poll=0.05).run, args=(stop,))
    thread.start()
    wait_until(lambda: fired(database))
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_the_table_can_be_dropped(database):
    """A migration can be undone."""
    with database.engine.connect() as connection, connection.begin():
        drop_table(Op(connection))
        assert not sa.inspect(connection).has_table("timer")


PROGRAM = textwrap.dedent("""
    import sys
    from tests.contract.test_timers import DAY, FIRED, HOUR, MINUTE, START, METADATA, TIMERS, TimerService, sa
    from tests.servers.databases import opened
    from mft_common import logs
    logs.configure("test", "error")
    url, name, pause = sys.argv[1:]
    database = opened(url, METADATA)
    at = START

    def fire(connection, firing):
        values = {"worker": name, "key": firing.key, "due_at": firing.due_at, "missed": firing.missed}
        connection.execute(sa.insert(FIRED).values(values))
        if pause == "within":
            print("within", firing.key, flush=True)
            sys.stdin.readline()

    service = TimerService(database, TIMERS, fire, now=lambda: at)
    if pause == "before":
        at = START + HOUR
        assert service._is_due()
        print("before", flush=True)
        sys.stdin.readline()
        service._fire_one()
        print("after", flush=True)
    for hour in range(1, 13):
        at = START + hour * HOUR
        try:
            service.step()
        except Exception as error:
            print("failed", type(error).__name__, flush=True)
            break
    print("end", flush=True)
""")


def start(url, name, pause="none"):
    arguments = [sys.executable, "-c", PROGRAM, url, name, pause]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(arguments, text=True, env=environment, **pipes)


def finish(program):
    """Let a worker go on, and return what it prints until its end."""
    return program.communicate("\n" * 20, timeout=60)[0].splitlines()


KEYS = [f"k{number:02d}" for number in range(20)]


def set_all(database):
    with database.write() as connection:
        for key in KEYS:
            TIMERS.set(connection, key, Interval(12, "hours"), START, misfire="once")


@pytest.mark.parametrize("count", [2, 3])
def test_several_workers_fire_each_time_once(database, database_url, count):
    """Two and three workers that look at the same timers at the same moment: every due time once."""
    set_all(database)
    with database.write() as connection:
        for hour in range(1, 12):
            for key in KEYS[:5]:
                TIMERS.set_once(connection, f"{key}/{hour}", START + hour * HOUR, START)
    workers = [start(database_url, f"w{number}") for number in range(count)]
    assert all(finish(worker) == ["end"] for worker in workers)
    once = [(f"{key}/{hour}", hour * HOUR) for hour in range(1, 12) for key in KEYS[:5]]
    assert sorted(fired(database)) == sorted([(key, 12 * HOUR) for key in KEYS] + once)


def test_a_frozen_worker_holds_up_nobody_and_fires_nothing_when_it_wakes(database, database_url):
    """A worker stopped after it saw a due timer and before it took it: others fire it, and it does not again."""
    with database.write() as connection:
        TIMERS.set_once(connection, "a", START + HOUR, START)
    frozen = start(database_url, "frozen", "before")
    assert frozen.stdout.readline() == "before\n"
    frozen.send_signal(signal.SIGSTOP)
    workers = [start(database_url, f"w{number}") for number in range(2)]
    assert all(finish(worker) == ["end"] for worker in workers)
    frozen.send_signal(signal.SIGCONT)
    assert finish(frozen) == ["after", "end"]
    with database.read() as connection:
        assert "frozen" not in connection.execute(sa.select(FIRED.c.worker)).scalars().all()
    assert fired(database) == [("a", HOUR)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_worker_that_freezes_within_a_firing_is_ended_by_postgresql(database, database_url):
    """Other timers fire meanwhile; its own one fires elsewhere once the server has ended the frozen session."""
    set_all(database)
    frozen = start(database_url, "frozen", "within")
    assert frozen.stdout.readline() == "within k00\n"
    frozen.send_signal(signal.SIGSTOP)
    assert finish(start(database_url, "w0")) == ["end"]
    # Where that worker took long, the server has ended the frozen session before it ended.
    assert [one for one in fired(database) if one[0] != "k00"] == [(key, 12 * HOUR) for key in KEYS[1:]]
    assert wait_until(lambda: finish(start(database_url, "w1")) == ["end"] and fired(database, "k00"), within=40)
    frozen.send_signal(signal.SIGCONT)
    assert finish(frozen)[0].startswith("failed")
    assert sorted(fired(database)) == [(key, 12 * HOUR) for key in KEYS]


def test_a_worker_killed_within_a_firing_has_fired_nothing(database, database_url):
    """A kill -9 between the callback's write and the commit: the next worker fires that time, and it is there once."""
    set_all(database)
    killed = start(database_url, "killed", "within")
    assert killed.stdout.readline() == "within k00\n"
    killed.kill()
    killed.communicate()
    assert fired(database) == []
    assert finish(start(database_url, "next")) == ["end"]
    assert fired(database) == [(key, 12 * HOUR) for key in KEYS]
