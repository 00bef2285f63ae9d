"""Sweepers on both kinds of database: what is tried when, what holds up what, and the end of a worker (E14, E27)."""

import re
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from mft_common.clock import now_ms
from mft_common.database.sweeps import Sweeps
from mft_common.dispatch import RemovalOrder, Sweeper
from mft_common.errors import MftError, Unavailable
from mft_common.process.runner import Runner, messages
from tests.servers.databases import with_tables
from tests.servers.processes import wait_until
from tests.servers.stopwatch import Stopwatch
from tests.servers.unkillable import unkillable

MODULE = "tests.servers.pieces_of_work"
METADATA = sa.MetaData()
LEFT = sa.Table(
    "left_behind",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("tries", sa.BigInteger, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
)
SWEEPS = Sweeps(LEFT.c.number)


class Things:
    """Removals whose payloads are given; `told` are the ends, as the sweeper tells them."""

    sweeps = SWEEPS
    target = f"{MODULE}:remove"

    def __init__(self, payloads):
        self.payloads, self.told, self.faults = payloads, [], []

    def places(self, _connection, keys):
        """Two removals of one ten are at one place."""
        return {key: f"place {key // 10}" for key in keys}

    def order(self, _connection, claimed):
        """Return the payload of a removal, or raise it; questions are answered."""
        payload = self.payloads[claimed.key]
        if isinstance(payload, Exception):
            raise payload
        return RemovalOrder(payload, lambda kind, data: f"{kind} {data}")

    def ended(self, _connection, claimed, problem, result):
        """Note the end; a removal that has no problem is done, and so is one that is given up."""
        if self.faults:
            raise self.faults.pop()
        self.told.append((claimed.key, claimed.tries, problem, result and result["answer"]))
        return not problem or problem == "hopeless"


@pytest.fixture(scope="module")
def runner():
    """The runner of all tests."""
    with Runner("test", [MODULE], level="critical") as made:
        yield made


@pytest.fixture
def database(database_url):
    """A database with the table of what is left."""
    with with_tables(database_url, METADATA, LEFT) as made:
        yield made


@pytest.fixture
def sweeping(database, runner):
    """Return a function that starts a sweeper of payloads by their keys; it is stopped when the test ends."""
    running = []

    def start(payloads, **options):
        things = Things(payloads)
        with database.write() as connection:
            for key in payloads:
                SWEEPS.add(connection, key, now_ms())
        stop = threading.Event()
        things.sweeper = Sweeper(things, database, runner, now=now_ms, **options)
        thread = threading.Thread(target=things.sweeper.run, args=(stop,))
        running.append((stop, thread))
        thread.start()
        return things

    def end():
        while running:
            stop, thread = running.pop()
            stop.set()
            thread.join()

    start.end = end
    yield start
    end()


def rows(database):
    """Return how often each removal that is left was tried, and whether it is due."""
    with database.read() as connection:
        found = connection.execute(sa.select(LEFT).order_by(LEFT.c.number)).all()
    return {row.number: (row.tries, row.due_at <= now_ms()) for row in found}


def test_a_removal_that_succeeds_is_done_and_one_that_fails_comes_again(database, sweeping):
    """The service answers the questions of the child, hears of each end, and may give one up."""
    things = sweeping({10: "", 20: "no access", 30: "hopeless"})
    wait_until(lambda: rows(database) == {20: (1, False)})
    assert sorted(things.told) == [
        (10, 1, "", "question "),
        (20, 1, "no access", "question no access"),
        (30, 1, "hopeless", "question hopeless"),
    ]


def test_a_place_that_hangs_holds_up_itself_alone(database, sweeping):
    """Its removals wait for one another, each for so long as one may take; those of all other places go on."""
    hanging = dict.fromkeys(range(10, 20), "hang")
    things = sweeping({**hanging, 20: "", 30: "", 31: ""})
    wait_until(lambda: sorted(told[0] for told in things.told) == [20, 30, 31])
    sweeping.end()
    things = sweeping(hanging, longest=1.0)
    wait_until(lambda: things.told)
    first, *more = things.told[0]
    assert (first in hanging, more) == (True, [1, "it took longer than 1 s", None])
    assert sorted(rows(database)) == sorted(hanging)


def test_the_end_of_a_worker_lets_its_removals_be_tried_again_at_once_as_if_they_had_not_been(
    database, sweeping, runner
):
    """A service may do something at the first try alone: one that was cut off is none."""
    sweeping({10: "hang", 20: "hang"})
    wait_until(lambda: rows(database) == {10: (1, False), 20: (1, False)})
    sweeping.end()
    assert rows(database) == {10: (0, True), 20: (0, True)}
    wait_until(lambda: runner.running == 0)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (MftError("it is not configured any more"), "it is not configured any more"),
        (KeyError("a fault of ours"), r"an internal error \(KeyError\)"),
        ("x" * messages.LARGEST, "a message of .* is larger than .*"),
        ("die", "its process ended with exit code 1 after ValueError"),
    ],
)
def test_a_removal_that_cannot_begin_holds_up_no_other_one(database, sweeping, payload, problem):
    """It has its problem, and its next try comes later."""
    things = sweeping({10: payload, 20: "", 21: ""})
    wait_until(lambda: rows(database) == {10: (1, False)})
    (found,) = [told[2] for told in things.told if told[0] == 10]
    assert re.fullmatch(problem, found)


@pytest.mark.parametrize("fault", [Unavailable("away"), KeyError("a fault of ours")])
def test_a_database_that_is_away_when_a_removal_ends_is_told_later(database, sweeping, fault):
    """A fault of ours is in the log, and the removal comes again; nothing ends the sweeper."""
    things = sweeping({})
    things.faults.append(fault)
    things.payloads |= {10: ""}
    with database.write() as connection:
        SWEEPS.add(connection, 10, 0)
    wait_until(lambda: not things.faults)
    if isinstance(fault, Unavailable):
        wait_until(lambda: rows(database) == {})
    with database.write() as connection:
        connection.execute(sa.update(LEFT).values(due_at=0))
    wait_until(lambda: rows(database) == {})


def test_a_worker_that_starts_sweeps_for_a_time_and_not_for_longer(database, runner):
    """A removal that is not done by then is tried again by the task beside its work."""
    things = Things({10: "", 11: "", 20: "hang"})

    def sweep(*keys, seconds):
        with database.write() as connection:
            for key in keys:
                SWEEPS.add(connection, key, now_ms())
        Sweeper(things, database, runner, now=now_ms).sweep(seconds)

    sweep(10, 11, seconds=60.0)
    assert rows(database) == {}
    watch, began = Stopwatch(), time.monotonic()
    sweep(20, seconds=1.0)
    assert time.monotonic() - began >= 1.0
    assert watch.seconds < 9.0
    assert rows(database) == {20: (0, True)}


def test_a_worker_that_starts_anew_ends_no_removal_of_the_one_that_is_about_to_end(database, sweeping, runner):
    """The task of a worker whose dispatcher failed may still run while the next dispatcher sweeps first."""
    things = sweeping({10: "hang"})
    wait_until(lambda: runner.running == 1)
    things.sweeper.sweep(0.1)
    assert rows(database) == {10: (1, False)}
    assert runner.running == 1


def test_two_sweepers_share_the_removals(database, sweeping):
    """Each removal is carried out once."""
    payloads = {number * 10: "" for number in range(1, 31)}
    one, other = sweeping(payloads), sweeping(payloads)
    wait_until(lambda: rows(database) == {})
    assert sorted(told[0] for told in one.told + other.told) == sorted(payloads)
    assert {told[1] for told in one.told + other.told} == {1}


def test_a_process_that_does_not_end_keeps_its_place_and_becomes_no_second_one(database, sweeping, runner, tmp_path):
    """As one that waits for a disk that is gone: each try would add another, until no other work has a process."""
    path = tmp_path / "pid"
    things = sweeping({10: f"hang {path}", 11: "", 20: ""}, longest=3.0)
    pid = int(wait_until(lambda: path.exists() and path.read_text()))
    with unkillable(pid):
        wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "t")
        with database.write() as connection:
            connection.execute(sa.update(LEFT).values(due_at=0))
            SWEEPS.add(connection, 21, 0)
        things.payloads |= {21: ""}
        wait_until(lambda: [told[0] for told in things.told] == [20, 21])
        assert runner.running == 1
    wait_until(lambda: 11 not in rows(database))
