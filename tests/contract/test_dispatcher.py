"""Dispatchers on both kinds of database: order, limits, requests, leases, and the end of a worker (E7, E8, E11-E13)."""

import threading
import time

import pytest
import sqlalchemy as sa

from mft_common.dispatch import Limits
from mft_common.errors import MftError, Unavailable
from mft_common.process.background_tasks import BackgroundTask
from mft_common.process.runner import Runner
from mft_common.process.worker_lock import Exclusive
from tests.servers.databases import opened, with_tables
from tests.servers.processes import wait_until
from tests.servers.queued_work import METADATA, MODULE, PIECES, TABLES, WORKERS, C, Worker, add, ask, states


@pytest.fixture(scope="module")
def runner():
    """The runner of all tests."""
    with Runner("test", [MODULE], level="critical") as made:
        yield made


@pytest.fixture
def database(database_url):
    """A database with the tables of the pieces and of leases."""
    with with_tables(database_url, METADATA, *TABLES) as made:
        yield made


@pytest.fixture
def worker(database, runner):
    """Return a function that starts workers; they are stopped when the test ends."""
    made = []

    def start(**options):
        made.append(Worker(database, runner, **options))
        return made[-1].start()

    yield start
    for one in made:
        one.end()


def alive(database):
    """Return the names of the workers whose lease lasts."""
    with database.read() as connection:
        return WORKERS.find_alive(connection)


def lapse(database):
    """Let the leases of all workers lapse."""
    with database.write() as connection:
        connection.execute(sa.text("UPDATE leases SET until = 0"))


def test_pieces_are_taken_in_order_up_to_the_limit_and_each_has_its_end(database, worker):
    """Never more run than the limit says; a place that becomes free is filled at once."""
    add(database, *["until_stopped"] * 2, *["first_byte"] * 5)
    one = worker(at_once=2)
    wait_until(lambda: states(database).count("running") == 2)
    for _ in range(2):
        assert one.work.begun.acquire(timeout=20)
    assert states(database) == ["running"] * 2 + ["waiting"] * 5
    ask(database, 1, "stop")
    wait_until(lambda: states(database) == ["stopped", "running", *["done"] * 5])
    assert one.work.taken == [1, 2, 3, 4, 5, 6, 7]


def test_a_piece_whose_child_dies_has_its_end_and_the_others_go_on(database, worker):
    """The end is what the process of the piece makes of it; the worker lives."""
    add(database, "die", "first_byte")
    worker()
    wait_until(lambda: states(database) == ["failed", "done"])


def test_a_request_to_stop_is_obeyed_or_goes_on_as_a_kill_e7_e8(database, worker):
    """A child that hears it stops; one that hangs is killed after a while; a kill is carried out at once."""
    add(database, "until_stopped", "hang", "hang", "until_stopped")
    one = worker(obeys_within=1.0)
    for _ in range(4):
        assert one.work.begun.acquire(timeout=20)
    for number, how in ((1, "stop"), (3, "kill")):
        ask(database, number, how)
    wait_until(lambda: states(database) == ["stopped", "running", "killed", "running"])
    began = time.monotonic()
    ask(database, 2, "stop")
    wait_until(lambda: states(database) == ["stopped", "stopped", "killed", "running"])
    assert time.monotonic() - began >= 1.0


def test_the_end_of_a_worker_waits_stops_and_then_kills_and_signs_out_e11(database, worker):
    """Within the grace a piece ends by itself; after it the children are stopped, and killed; queued pieces stay."""
    add(database, "until_stopped", "hang", "first_byte", "first_byte")
    one = worker(at_once=2, grace=0.5, lease=4.0)
    for _ in range(2):
        assert one.work.begun.acquire(timeout=20)
    assert len(alive(database)) == 1
    one.end()
    assert (one.fault, states(database)) == (None, ["interrupted"] * 2 + ["waiting"] * 2)
    assert alive(database) == set()
    # After a clean stop nothing is lost, and the next one goes on.
    worker()
    wait_until(lambda: states(database) == ["interrupted"] * 2 + ["done"] * 2)


def test_a_piece_that_ends_within_the_grace_is_not_interrupted_e11(database, worker):
    """The worker that ends still obeys requests and waits for what runs."""
    add(database, "until_stopped")
    one = worker(grace=20.0)
    assert one.work.begun.acquire(timeout=20)
    one.stop.set()
    ask(database, 1, "stop")
    one.end()
    assert states(database) == ["stopped"]


def test_a_worker_whose_lease_was_lost_ends_with_its_children_e13(database, worker, runner):
    """It finds out with its next renewal, kills what it runs, and stores no end: the pieces are another's."""
    add(database, "hang")
    one = worker(lease=1.0)
    assert one.work.begun.acquire(timeout=20)
    with database.write() as connection:
        # As its successor does, after this worker was frozen.
        WORKERS.remove_dead(connection, WORKERS.find_dead(connection, everyone=True))
        connection.execute(sa.update(PIECES).values(state="lost", owner=""))
    one.join()
    assert isinstance(one.fault, MftError)
    wait_until(lambda: runner.running == 0)
    assert states(database) == ["lost"]


def test_the_pieces_of_a_dead_worker_are_recovered_by_those_that_live_e14(database, worker):
    """With the next renewal of any of them; what waits goes on."""
    add(database, "first_byte", "first_byte")
    with database.write() as connection:
        WORKERS.sign_in(connection, "dead", 60.0)
        connection.execute(sa.update(PIECES).where(C.number == 1).values(state="running", owner="dead"))
    one = worker(lease=3.0)
    wait_until(lambda: states(database) == ["running", "done"])
    with database.write() as connection:
        connection.execute(sa.text("UPDATE leases SET until = 0 WHERE owner = 'dead'"))
    wait_until(lambda: states(database) == ["lost", "done"])
    assert one.work.taken == [2]


def test_work_is_recovered_and_cleared_away_before_a_worker_signs_in_e15(database, worker):
    """Tasks that begin work by themselves wait for `recovered`; readiness sees the worker only after that."""
    add(database, "first_byte")
    with database.write() as connection:
        WORKERS.sign_in(connection, "dead", 60.0)
        connection.execute(sa.update(PIECES).values(state="running", owner="dead"))
    lapse(database)
    one = worker()
    assert one.dispatcher.recovered.wait(20)
    assert one.work.prepared == [set()]
    assert states(database) == ["lost"]
    assert len(alive(database)) == 1


def test_a_piece_whose_thread_failed_is_recovered_by_its_own_worker(database, worker):
    """A piece that is this worker's and that none of its threads runs is lost with the next renewal."""
    add(database, "no_such_function", "first_byte")
    one = worker(lease=3.0)

    def fail(*_arguments):
        raise OSError("the end could not be stored")

    one.work.end, stored = fail, one.work.end
    wait_until(lambda: states(database)[0] == "lost")
    one.work.end = stored
    assert one.fault is None


def test_a_database_that_is_away_for_a_moment_ends_nothing_e13(database, worker):
    """For less than a lease the children go on; for longer the worker ends, and its children with it."""
    add(database, "until_stopped")
    one = worker(lease=30.0)
    assert one.work.begun.acquire(timeout=20)
    one.work.fault = Unavailable("away")
    wait_until(lambda: one.work.faults >= 10)
    one.work.fault = None
    ask(database, 1, "stop")
    wait_until(lambda: states(database) == ["stopped"])
    assert one.fault is None


def test_a_database_that_is_away_for_a_lease_ends_every_child_e13(database, worker, runner):
    """The pieces are another's by then."""
    add(database, "hang")
    one = worker(lease=3.0)
    assert one.work.begun.acquire(timeout=20)

    def away(_connection):
        raise Unavailable("away")

    one.work.refresh = away
    one.join()
    assert isinstance(one.fault, Unavailable)
    wait_until(lambda: runner.running == 0)


def test_tasks_beside_the_work_run_from_the_sign_in_to_the_end(database, worker):
    """They see the worker signed in, and are told when it ends."""
    seen, ended = [], threading.Event()

    def beside(stop):
        seen.append(alive(database))
        stop.wait()
        ended.set()

    one = worker(beside=[BackgroundTask("beside", beside)])
    wait_until(lambda: seen)
    assert len(seen[0]) == 1
    assert not ended.is_set()
    one.end()
    # A task has a second to end; the machine may be busy for longer.
    assert ended.wait(20)


def test_a_task_beside_the_work_that_fails_is_started_again(database, worker):
    """A thread that dies would leave its part of the work undone until the next start of the service."""
    starts = threading.Semaphore(0)

    def beside(stop):
        starts.release()
        if not stop.wait(0):
            raise KeyError("a fault of ours")

    worker(beside=[BackgroundTask("beside", beside)])
    for _ in range(2):
        assert starts.acquire(timeout=20)


def test_a_worker_whose_system_has_no_thread_left_takes_nothing_and_goes_on(database, worker):
    """A piece that is taken and has no thread would be lost, and an error would end all the others."""
    add(database, "until_stopped", "first_byte")
    one = worker(at_once=1, lease=30.0)
    assert one.work.begun.acquire(timeout=20)
    # More than the system can map: the start of a thread fails as where it has reached its limit of them.
    before = threading.stack_size(1 << 45)
    try:
        wait_until(lambda: one.dispatcher._running)
        one.work.limits = Limits(2, 30.0, 0.0)
        wait_until(lambda: one.work.looks > 10)
        assert states(database) == ["running", "waiting"]
    finally:
        threading.stack_size(before)
    wait_until(lambda: states(database) == ["running", "done"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_lock_of_a_worker_that_is_frozen_costs_no_other_worker_its_lease_e13(database, worker):
    """It keeps the lock until PostgreSQL ends its session after a minute, and a lease lasts for less."""
    add(database, "until_stopped", "first_byte")
    with database.write() as frozen:
        frozen.execute(sa.update(PIECES).where(C.number == 2).values(asked=""))
        one = worker(lease=3.0)
        assert one.work.begun.acquire(timeout=20)
        (until,) = leases_of(database)
        wait_until(lambda: leases_of(database) > [until + 3000])
        assert one.work.looks > 1
        assert states(database) == ["running", "waiting"]
    wait_until(lambda: states(database) == ["running", "done"])
    ask(database, 1, "stop")
    wait_until(lambda: states(database) == ["stopped", "done"])
    assert one.fault is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_pool_whose_connections_all_wait_for_a_lock_costs_no_worker_its_lease_e13(database, database_url, runner):
    """Its own pieces wait for what a frozen worker has locked, each with a connection: the lease is renewed apart."""
    add(database, "until_stopped", "first_byte")
    small = opened(f"{database_url}?pool_size=4", METADATA, pool_timeout=0.2)

    def wait_for_the_lock():
        with small.write() as connection:
            connection.execute(sa.update(PIECES).where(C.number == 2).values(asked=""))

    one = Worker(small, runner, at_once=1, lease=3.0).start()
    threads = [threading.Thread(target=wait_for_the_lock) for _ in range(3)]
    try:
        assert one.work.begun.acquire(timeout=20)
        with database.write() as frozen:
            frozen.execute(sa.update(PIECES).where(C.number == 2).values(asked=""))
            for thread in threads:
                thread.start()
            (until,) = leases_of(database)
            wait_until(lambda: leases_of(database) > [until + 3000])
        for thread in threads:
            thread.join()
        ask(database, 1, "stop")
        wait_until(lambda: states(database) == ["stopped", "done"])
        assert one.fault is None
    finally:
        one.end()
        small.close()


def leases_of(database):
    """Return until when the leases last."""
    with database.read() as connection:
        return list(connection.execute(sa.text("SELECT until FROM leases")).scalars())


def test_an_exclusive_lock_lets_one_worker_run(database, worker, tmp_path):
    """The second one is refused while the first one lives, and takes over after its end."""
    first = worker(lock=Exclusive(tmp_path / "lock"))
    assert first.dispatcher.recovered.wait(20)
    second = worker(lock=Exclusive(tmp_path / "lock"))
    second.join()
    assert "another worker" in str(second.fault)
    first.end()
    third = worker(lock=Exclusive(tmp_path / "lock"))
    assert third.dispatcher.recovered.wait(20)


def test_of_two_workers_each_piece_is_taken_by_one_e12(database, worker):
    """They share the queue, and no piece runs twice."""
    add(database, *["first_byte"] * 20)
    one, other = worker(at_once=2), worker(at_once=2)
    wait_until(lambda: states(database) == ["done"] * 20, within=60)
    assert sorted(one.work.taken + other.work.taken) == list(range(1, 21))
