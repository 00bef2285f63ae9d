"""Jobs that no thread runs, requests that come while the worker stops, and what a queue behind a running job costs."""

import contextlib
import os
import signal
import threading

import pytest
import sqlalchemy as sa

from diplomat_svc.operations.dispatch import JobWork
from diplomat_svc.store import job_statements, jobs
from diplomat_svc.store.tables import WORKERS
from mft_common.errors import MftError, Unavailable
from tests.servers.processes import wait_until
from tests.servers.stopwatch import Stopwatch


@pytest.fixture
def make(hub, transaction):
    """Return a function that makes a hub with a slow and a quick transaction, and a file for each."""

    def made(slow="20KiB/s", **settings):
        moves = [
            transaction("slow", source={"files": ["slow"]}, bandwidth=slow),
            transaction("quick", source={"files": ["quick"]}),
        ]
        one = hub(*moves, diplomat={"jobs": {"lease": "1s", **settings}}).log_in()
        (one.data / "from" / "slow").write_bytes(bytes(1 << 20))
        (one.data / "from" / "quick").write_bytes(b"x")
        return one

    return made


def begun(made):
    """Wait until a part of the slow file is at its destination."""
    wait_until(lambda: any(path.stat().st_size for path in (made.data / "to").glob(".slow.*.part")), what="bytes")


def ask(made, status):
    """Ask for the stop of the running job, as the requests cancel and terminate do."""
    with made.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET status = ? WHERE status = 'Running'", (status,))


def lose_answer(made, statement):
    """Let the answer to the first commit be lost after which `statement` finds a row; return a list, empty before."""
    database, lost = made.service.database, []
    write = database.write

    @contextlib.contextmanager
    def lossy():
        with write() as connection:
            yield connection
        if not lost and made.rows(statement):
            lost.append(True)
            raise Unavailable("no answer")

    database.write = lossy
    return lost


class _Faulty:
    """A runner whose first calls of one function fail with an error that has no name in the code of jobs."""

    def __init__(self, runner, function, failures=1):
        self._runner, self._function, self._failures = runner, function, failures

    def run(self, target, payload, on_message):
        """See Runner."""
        if target.endswith(self._function) and self._failures:
            self._failures -= 1
            raise OSError(24, "Too many open files")
        return self._runner.run(target, payload, on_message)


def test_a_job_whose_taking_got_no_answer_ends_and_the_next_one_runs_e2(make):
    """The commit was carried out and its answer lost: no thread runs the job, and the worker ends it by itself."""
    made = make()
    made.run("quick")
    lost = lose_answer(made, "SELECT 1 FROM jobs WHERE status = 'Running'")
    with made.work():
        assert made.finished("quick", within=5).findtext("completionStatus") == "Incomplete"
        made.run("quick")
        assert made.finished("quick").findtext("completionStatus") == "Successful"
    assert lost
    assert made.rows("SELECT count(*) AS n FROM outbox WHERE type = 'transfer.ended.v1'")[0].n == 2


def test_a_lost_answer_to_the_record_of_a_file_fails_nothing_e20(make):
    """The record was written and its answer lost: it is written once more, and the job goes on."""
    made = make()
    lost = lose_answer(made, "SELECT 1 FROM files")
    with made.work():
        made.run("quick")
        job = made.finished("quick")
    assert lost
    assert job.findtext("completionStatus") == "Successful"
    assert len(job.findall("fileHistory")) == 1


def test_a_job_whose_leftovers_cannot_be_removed_at_once_ends_and_they_are_removed_later_e10_e27(make, runner):
    """No process can be started for the removal: the job has its end, and the removal is tried again."""
    made = make()
    dispatcher = made.service.dispatcher()
    dispatcher._work._runner = _Faulty(runner, ":sweep")
    with made.work_with(dispatcher):
        made.run("slow")
        begun(made)
        os.kill(wait_until(lambda: next((each.pid for each in list(runner._handles) if each.pid), 0)), signal.SIGSEGV)
        assert made.finished("slow").findtext("completionStatus") == "Failure"
        wait_until(lambda: not list((made.data / "to").iterdir()), within=5)
        wait_until(lambda: not made.rows("SELECT 1 FROM sweeps"), within=5)


def test_a_worker_that_signs_out_ends_the_jobs_that_none_of_its_threads_runs_e2(make):
    """Its lease is gone afterwards, and nothing is left that only this lease would have led to."""
    made = make()
    with made.work():
        made.ready()
        made.run("quick")
        made.finished("quick")
        (row,) = made.rows("SELECT owner FROM leases WHERE owner <> ''")
        made.run("slow")
        begun(made)
        ask(made, "Terminating")
        made.finished("slow")
        with made.service.database.write() as connection:
            connection.exec_driver_sql(
                "UPDATE jobs SET status = 'Running', completion = NULL, owner = ? WHERE sequence = 2", (row.owner,)
            )
    assert made.rows("SELECT 1 FROM jobs WHERE status <> 'Complete'") == []


def test_a_job_of_an_owner_without_a_lease_is_recovered_e14(make):
    """A live worker finds it by its owner, not by a lease that has lapsed."""
    made = make()
    with made.work():
        made.ready()
        made.run("slow")
        begun(made)
        with made.service.database.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET owner = 'gone', lease = 7")
        assert made.finished("slow", within=5).findtext("completionStatus") == "Incomplete"
        wait_until(lambda: not list((made.data / "to").iterdir()), within=5)


@pytest.mark.parametrize(("status", "completion"), [("Cancelling", "Cancelled"), ("Terminating", "Terminated")])
def test_requests_are_obeyed_while_the_worker_stops_e7_e8_e11(make, status, completion):
    """Within the time that running jobs are given at a stop, cancel and terminate hold as at any other time."""
    made = make(stop_grace="20s", slow="1KiB/s")
    with made.work() as work:
        made.run("slow")
        begun(made)
        work.stop.set()
        since = Stopwatch()
        ask(made, status)
        assert made.finished("slow").findtext("completionStatus") == completion
        work.thread.join(60)
        assert since.seconds < 4


def test_a_worker_that_loses_its_lease_while_it_stops_kills_its_children_e13(make, runner):
    """Its job may belong to another by then: the child goes at once, not after the time that jobs are given."""
    made = make(stop_grace="20s", slow="1KiB/s")
    work = made.work()
    work.thread.start()
    made.run("slow")
    begun(made)
    work.stop.set()
    since = Stopwatch()
    with made.service.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM leases")
    work.thread.join(60)
    assert not work.thread.is_alive()
    assert since.seconds < 8
    assert [type(error) for error in work.errors] == [MftError]
    wait_until(lambda: not runner.running, within=5)


def test_a_far_side_that_hangs_keeps_no_other_leftovers_and_stays_recorded_e14(hub, transaction, runner):
    """Ten lost jobs with a silent destination, and one with a folder: its temporary file goes, theirs stay recorded."""
    over, now = threading.Event(), [1_000_000]

    def never(environ, start_response):
        over.wait(60)
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return [b""]

    moves = [transaction("silent", destination={"url": "filestore:/out"}), transaction("folder")]
    made = hub(*moves, filestore=never, clock=lambda: now[0], diplomat={"jobs": {"lease": "2s"}}).log_in()
    numbers = [made.run("silent") for _ in range(10)] + [made.run("folder")]
    with made.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET status = 'Running', owner = 'dead', lease = 1, began_at = 1")
    (row,) = made.rows(f"SELECT transfer_id FROM jobs WHERE sequence = {len(numbers)}")
    left = made.data / "to" / f".f.{len(numbers):016d}{row.transfer_id[-16:]}.part"
    left.write_bytes(b"a part")
    dispatcher = made.service.dispatcher()
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    try:
        thread.start()
        wait_until(lambda: not left.exists(), within=10)
        assert not made.rows("SELECT 1 FROM jobs WHERE status <> 'Complete'"), "no job waits for a removal"
        wait_until(lambda: len(made.rows("SELECT 1 FROM sweeps")) == 10, within=5)
        assert [row.sequence for row in made.rows("SELECT sequence FROM sweeps")] == list(range(1, 11))
    finally:
        over.set()
        stop.set()
        thread.join()


def test_a_worker_whose_lease_has_lapsed_takes_no_job_e13(make):
    """It was frozen since it renewed its lease: another one would end the job before it was ever tried."""
    made = make()
    made.run("quick")
    service = made.service
    work, begun = JobWork(service.operations.writer, service.follower, service.runner), []
    for until, taken in (("0", False), ("until", True)):
        with service.database.write() as connection:
            lease = WORKERS.sign_in(connection, f"worker {until}", 60.0)
            connection.exec_driver_sql(f"UPDATE leases SET until = {until}")
        assert work.take(lease, lambda key, *_rest: begun.append(key)) is taken
    assert begun == [1]


def test_a_queue_behind_a_running_job_costs_no_transactions(make):
    """The worker asks for a job that it may take, and reads the index of jobs that are not over for that."""
    made = make()
    database = made.service.database
    made.run("slow")
    assert database.query(lambda each: jobs.any_takeable(each, 0))
    with database.write() as connection:
        made.service.operations.writer.take(connection, "w")
    made.run("slow")
    assert not database.query(lambda each: jobs.any_takeable(each, 0)), "its transaction is busy"
    made.run("quick")
    assert database.query(lambda each: jobs.any_takeable(each, 0))
    with database.read() as connection:
        compiled = job_statements.takeable().params(now=0).compile(connection, compile_kwargs={"literal_binds": True})
        plan = [row.detail for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {compiled}"))]
    assert not any(step.startswith("SCAN") and "INDEX" not in step for step in plan), plan
