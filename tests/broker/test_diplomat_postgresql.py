"""Several workers of diplomat-svc on one PostgreSQL: each job once, and a dead worker's jobs end (E12, E14, E16)."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from diplomat_svc.bootstrap import build, child_modules
from diplomat_svc.schemas.requests import RunNow
from diplomat_svc.schemas.transactions import TransactionSchema
from diplomat_svc.settings import Settings
from diplomat_svc.store import transactions
from diplomat_svc.store.tables import WORKERS, jobs
from mft_common.identity import Identity
from mft_common.process.runner import Runner, child_environment
from tests.servers.processes import wait_until

CALLER = Identity(
    request_id="r1",
    address="127.0.0.1",
    account="Administrator",
    session="s",
    label="Jim",
    grant={"role": "Administrator", "transactions": ["*"]},
)

# A live worker that stands still for a moment keeps it.
LEASE = "3s"


def _transaction(name, **more):
    sides = {"source": {"url": "file:from", "files": ["*"]}, "destination": {"url": f"file:to/{name}"}}
    return {"name": name, "direction": "outbound", "api_allowed": True, **sides, **more}


@pytest.fixture(scope="module")
def runner():
    """Return the runner of the jobs of all tests."""
    with Runner("diplomat-svc", child_modules({}), environment=child_environment(os.environ)) as made:
        yield made


@pytest.fixture
def hub(postgresql_url, tmp_path, runner):
    """Return a function that builds the service on one database; every call makes another process's view of it."""
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "f").write_bytes(b"x" * 300)
    made = []

    def make(*transactions, lease="15s"):
        config = {"diplomat": {"jobs": {"lease": lease, "stop_grace": "0s"}}, "transactions": list(transactions)}
        settings = Settings(data=str(tmp_path), database_url=postgresql_url)
        made.append(build(settings, directory=object(), config=config, runner=runner))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _run_now(service, name):
    return service.operations.run_now(RunNow(number=None, name=name, variables={}), CALLER)


def _rows(service):
    with service.database.read() as connection:
        return connection.execute(sa.select(jobs).order_by(jobs.c.sequence)).all()


def test_three_workers_run_each_job_once_and_in_order_e12_a32(hub):
    """Three workers and several schedulers at once: each job runs once, in order within its transaction."""
    names = [f"t{number}" for number in range(4)]
    services = [hub(*(_transaction(name) for name in names)) for _ in range(3)]
    stop = threading.Event()
    threads = [threading.Thread(target=service.dispatcher().run, args=(stop,)) for service in services]
    for thread in threads:
        thread.start()
    with ThreadPoolExecutor(4) as pool:
        times = list(pool.map(lambda n: _run_now(services[n % 3], names[n % 4]), range(40)))
    wait_until(lambda: all(row.status == "Complete" for row in _rows(services[0])))
    stop.set()
    for thread in threads:
        thread.join()
    rows = _rows(services[0])
    assert [row.sequence for row in rows] == list(range(1, 41))
    assert sorted(times) == [row.scheduled_at for row in rows], "sequence and scheduledTime agree (A32)"
    assert {(row.completion, row.lease) for row in rows} == {("Successful", 1)}
    for number in {row.transaction_id for row in rows}:
        mine = [row for row in rows if row.transaction_id == number]
        assert all(before.ended_at <= after.began_at for before, after in itertools.pairwise(mine))


def test_a_worker_whose_lease_ran_out_loses_its_job_to_nobody_e14_e16(hub):
    """A live worker ends the job of a dead one as Incomplete, and the queue goes on with it."""
    service = hub(_transaction("one"), _transaction("two"), lease=LEASE)
    _run_now(service, "one")
    with service.database.write() as connection:
        dead = WORKERS.sign_in(connection, "dead", 60)
        connection.execute(sa.text("UPDATE leases SET until = 1 WHERE key = :key"), {"key": dead.key})
        connection.execute(sa.update(jobs).values(status="Running", owner="dead", lease=1, began_at=1))
        WORKERS.sign_in(connection, "alive", 3600)
    _run_now(service, "two")
    stop = threading.Event()
    thread = threading.Thread(target=service.dispatcher().run, args=(stop,))
    thread.start()
    wait_until(lambda: all(row.status == "Complete" for row in _rows(service)))
    stop.set()
    thread.join()
    assert [row.completion for row in _rows(service)] == ["Incomplete", "Successful"]


def test_no_change_hides_behind_an_answered_time_a38(hub):
    """Readers that follow `monitor_time` while several writers schedule see each job once."""
    names = [f"t{number}" for number in range(60)]
    services = [hub(*(_transaction(name) for name in names)) for _ in range(3)]
    seen, done = [], threading.Event()
    before = services[2].operations.transaction_statuses(None, CALLER).monitor_time

    def poll():
        at = before
        while True:
            last = done.is_set()
            found = services[2].operations.transaction_statuses(at, CALLER)
            at = found.monitor_time
            seen.extend(one.name for one in found.transactions)
            if last:
                return

    poller = threading.Thread(target=poll)
    poller.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: _run_now(services[n % 3], names[n]), range(60)))
    done.set()
    poller.join()
    assert sorted(set(names) - set(seen)) == []
    assert len(seen) == len(set(seen))


class _Paused:
    """Definitions whose second one is handed out, when they are gone through, once another transaction waits."""

    def __init__(self, definitions, waits):
        self._definitions, self._waits = definitions, waits

    def __iter__(self):
        first, second = self._definitions
        yield first
        self._waits()
        yield second


def test_a_configuration_is_applied_while_a_job_is_taken_without_a_deadlock_e12(hub):
    """Each of both changes a transaction's row and the clock's; whichever comes second waits for the other."""
    service = hub(_transaction("one"), _transaction("two"))
    _run_now(service, "one")
    database, taken, threads = service.database, [], []
    blocked = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )

    def take():
        with database.write() as connection:
            taken.append(service.operations.writer.take(connection, "w"))

    def waits():
        # Gone through twice: for the ids, before any row is changed, and for the rows.
        threads.append(threading.Thread(target=take))
        if len(threads) == 2:
            threads[-1].start()

            def is_blocked():
                with database.read() as connection:
                    return connection.execute(blocked).scalar_one() == 1

            wait_until(is_blocked)

    found = [
        TransactionSchema().load(_transaction(name, **more))
        for name, more in (("one", {"bandwidth": "9MiB/s"}), ("three", {}))
    ]
    with database.write() as connection:
        assert transactions.apply(connection, _Paused(found, waits), 1) == []
    threads[-1].join()
    assert len(taken) == 1
    assert taken[0] is not None


PROGRAM = textwrap.dedent("""
    import json, os, sys, threading
    from diplomat_svc.bootstrap import build, new_runner
    from diplomat_svc.settings import Settings
    settings = Settings(data=sys.argv[1], database_url=sys.argv[2])
    runner = new_runner(settings, os.environ).start()
    service = build(settings, directory=object(), config=json.loads(sys.argv[3]), runner=runner)
    try:
        service.dispatcher().run(threading.Event())
    finally:
        runner.close()
""")


@pytest.mark.parametrize("others", [1, 2])
def test_a_worker_that_freezes_past_its_lease_writes_nothing_when_it_wakes_e13_e14(
    hub, postgresql_url, tmp_path, others
):
    """Its child has all bytes and waits for consent: another worker ends the job, and the file never appears.

    Beside one live worker and beside two, which run each of the further jobs once.
    """
    slow, quick = _transaction("slow", bandwidth="150B/s"), _transaction("quick")
    service = hub(slow, quick, lease=LEASE)
    config = json.dumps({"diplomat": {"jobs": {"lease": LEASE}}, "transactions": [slow, quick]})
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path), postgresql_url, config]
    frozen = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    try:
        _run_now(service, "slow")
        wait_until(lambda: list((tmp_path / "to" / "slow").glob(".f.*.part")))
        frozen.send_signal(signal.SIGSTOP)
        for _ in range(4):
            _run_now(service, "quick")
        stop = threading.Event()
        views = [service, *(hub(slow, quick, lease=LEASE) for _ in range(others - 1))]
        threads = [threading.Thread(target=view.dispatcher().run, args=(stop,)) for view in views]
        for thread in threads:
            thread.start()
        wait_until(lambda: {row.status for row in _rows(service)} == {"Complete"})
        before = _rows(service)
        frozen.send_signal(signal.SIGCONT)
        assert frozen.wait(30) == 1, "the worker ends, because its lease is lost"
        wait_until(lambda: not list((tmp_path / "to" / "slow").iterdir()))
        stop.set()
        for thread in threads:
            thread.join()
    finally:
        frozen.kill()
        frozen.wait()
    assert [row.completion for row in before] == ["Incomplete", *["Successful"] * 4]
    assert _rows(service) == before
    assert list((tmp_path / "to" / "slow").iterdir()) == []
    assert (tmp_path / "from" / "f").exists()


def _alive(service):
    with service.database.read() as connection:
        return WORKERS.find_alive(connection)


@pytest.mark.parametrize("rounds", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_one_of_two_workers_is_killed_at_seeded_moments_e9_e12_e14_e16(hub, postgresql_url, tmp_path, rounds):
    """The other one ends what ran in the killed one and runs what waits: each job ends once, and files are whole."""
    chance, names = random.Random(47), ("quick", "other", "slow")
    transactions_ = [_transaction(name, **({"bandwidth": "500B/s"} if name == "slow" else {})) for name in names]
    service = hub(*transactions_, lease=LEASE)
    config = json.dumps({"diplomat": {"jobs": {"lease": LEASE}}, "transactions": transactions_})
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path), postgresql_url, config]
    programs, accepted = [], []
    try:
        for _ in range(rounds):
            programs += [subprocess.Popen(arguments, stderr=subprocess.DEVNULL) for _ in range(2 - len(programs))]
            wait_until(lambda: len(_alive(service)) == 2)
            accepted += [_run_now(service, chance.choice(names)) for _ in range(8)]
            threading.Event().wait(chance.uniform(0.0, 0.6))
            victim = programs.pop(chance.randrange(2))
            victim.kill()
            victim.wait()
            wait_until(lambda: {row.status for row in _rows(service)} == {"Complete"})
    finally:
        for one in programs:
            one.kill()
            one.wait()
    rows = _rows(service)
    assert [row.scheduled_at for row in rows] == accepted
    assert {row.completion for row in rows} <= {"Successful", "Incomplete"}
    assert [row.sequence for row in rows if row.completion == "Incomplete" and row.began_at is None] == []
    with service.database.read() as connection:
        ends = (
            connection.execute(sa.text("SELECT subject FROM outbox WHERE type = 'transfer.ended.v1'")).scalars().all()
        )
    assert sorted(ends) == sorted(row.transfer_id for row in rows)
    wait_until(lambda: not list((tmp_path / "to").rglob(".*.part")))
    assert {path.read_bytes() for path in (tmp_path / "to").rglob("f")} == {b"x" * 300}
    print(
        {completion: sum(row.completion == completion for row in rows) for completion in ("Successful", "Incomplete")}
    )
