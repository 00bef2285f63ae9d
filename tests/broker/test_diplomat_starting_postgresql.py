"""Schedules, triggers and delays of diplomat-svc with several workers on one PostgreSQL (E16, E17)."""

import os
import threading
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from diplomat_svc.bootstrap import build, child_modules
from diplomat_svc.operations.recovery import recover
from diplomat_svc.operations.scheduling import Scheduler
from diplomat_svc.schemas.requests import RunNow
from diplomat_svc.settings import Settings
from diplomat_svc.store.tables import INBOX, TIMERS, WORKERS, jobs
from mft_common.events import Envelope, FileStored
from mft_common.events.delivery import Delivery, RetryPolicy
from mft_common.identity import Identity
from mft_common.process.runner import Runner, child_environment
from mft_common.schedules import timers_task
from tests.servers.processes import wait_until

CALLER = Identity(request_id="r1", account="system", grant={}, label="crossdock/jo")
START = 1_772_000_400_000
CLIENT = "414D5120514D31202020202020202020" + "0" * 16


@pytest.fixture(scope="module")
def runner():
    """Return the runner of the jobs of all tests."""
    with Runner("diplomat-svc", child_modules({}), environment=child_environment(os.environ)) as made:
        yield made


@pytest.fixture
def now():
    """Return the clock of all processes as a list of one number."""
    return [START]


@pytest.fixture
def hub(postgresql_url, tmp_path, runner, now):
    """Return a function that builds the service on one database; every call makes another process's view of it."""
    (tmp_path / "from").mkdir()
    made = []

    def make(*transactions, lease="15s"):
        config = {"diplomat": {"jobs": {"lease": lease, "stop_grace": "0s"}}, "transactions": list(transactions)}
        settings = Settings(data=str(tmp_path), database_url=postgresql_url)
        made.append(build(settings, directory=object(), config=config, runner=runner, clock=lambda: now[0]))
        return made[-1]

    yield make
    for one in made:
        one.close()


def transaction(name, **more):
    """Return a transaction of the configuration."""
    source = {"url": "file:from", "files": ["*"], **more.pop("source", {})}
    return {"name": name, "direction": "outbound", "source": source, "destination": {"url": f"file:to/{name}"}, **more}


def rows(service):
    """Return the jobs in order."""
    with service.database.read() as connection:
        return connection.execute(sa.select(jobs).order_by(jobs.c.sequence)).all()


def run(service, name, delay=0.0):
    """Schedule a job as the command does."""
    operations = service.operations
    scheduler = Scheduler(operations.writer, operations.transfer_ids, 1000)
    return scheduler.schedule(RunNow(number=None, name=name, variables={}), CALLER, by_api=False, delay=delay)


@contextmanager
def firing(services):
    """Fire the timers in the block, as each worker's task does."""
    stop = threading.Event()
    tasks = [timers_task("timers", service.timers(), poll=0.01) for service in services]
    threads = [threading.Thread(target=task.run, args=(stop,)) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_three_workers_fire_each_time_once_while_the_configuration_is_applied_e17_b26(hub, now):
    """Thirty times, a delayed job beside each, and fifteen other schedules applied meanwhile: each job once."""
    cron = {"cron": "*/10 * * * *"}
    services = [hub(transaction("cron", schedule=cron), transaction("late")) for _ in range(3)]
    with firing(services):
        for number in range(1, 31):
            run(services[0], "late", delay=60.0)
            now[0] += 600_000
            if number % 2:
                other = {"cron": f"{number} 0 1 1 *"}
                hub(transaction("cron", schedule=cron), transaction("late"), transaction("x", schedule=other))
            wait_until(lambda n=number: len(rows(services[0])) == 2 * n, what=f"the jobs of time {number}")
        wait_until(lambda: {row.status for row in rows(services[0])} == {"Queued"})
    assert sum(service.timers().step() for service in services) == 0
    assert [row.transaction_id for row in rows(services[0])].count(1) == 30
    assert [row.scheduled_at for row in rows(services[0])] == sorted({row.scheduled_at for row in rows(services[0])})


def test_a_hundred_stored_files_each_start_one_job_with_two_consumers(hub, tmp_path):
    """Both workers get every event, in batches of ten that cross."""
    trigger = {"stored": "filestore:/in", "files": ["*.csv"]}
    source = {"url": "filestore:/in"}
    services = [hub(transaction("move", source=source, trigger=trigger)) for _ in range(2)]
    events = []
    for number in range(100):
        stored = FileStored(
            account="part1", address="", path=f"/in/{number}.csv", fileset=number, size=1, sha256="a" * 64,
            datatype="text/csv", transfer_id=CLIENT,
        )  # fmt: skip
        events.append(
            Envelope(
                id=f"e{number}", source="filestore-svc", type=stored.TYPE, subject=stored.path, time=1, data=stored
            )
        )

    def consume(service):
        delivery = Delivery("diplomat-svc", service.database, INBOX, service.handlers(), retries=RetryPolicy())
        for start in range(0, 100, 10):
            assert delivery.apply(events[start : start + 10])

    threads = [threading.Thread(target=consume, args=(service,)) for service in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [row.variables for row in rows(services[0])]
    assert len(found) == len(set(found)) == 100
    assert {row.caused_by for row in rows(services[0])} == {CLIENT}


@pytest.mark.parametrize(("survivor", "ends"), [(True, {None}), (False, {"Missed", "Incomplete"})])
def test_waiting_jobs_end_only_when_the_last_of_several_workers_died_e15_e16(hub, survivor, ends):
    """Two workers die without signing out: queued and delayed jobs wait as long as a third one is alive."""
    service = hub(transaction("strict", fail_if_not_found=True), transaction("lax"))
    for name in ("strict", "lax"):
        run(service, name)
        run(service, name, delay=60.0)
    with service.database.write() as connection:
        for name in ("first", "second"):
            dead = WORKERS.sign_in(connection, name, 60)
            connection.execute(sa.text("UPDATE leases SET until = 1 WHERE key = :key"), {"key": dead.key})
        if survivor:
            WORKERS.sign_in(connection, "third", 3600)

    recover(service.operations.writer)
    found = rows(service)
    assert {row.completion for row in found} == ends
    if not survivor:
        assert [row.completion for row in found] == ["Missed", "Missed", "Incomplete", "Incomplete"]
    with service.database.read() as connection:
        assert len(TIMERS.next_times(connection, "delayed/")) == 2, "they do nothing to jobs that are over"
