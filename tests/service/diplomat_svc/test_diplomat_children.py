"""Jobs in children: what the worker does to them, what they do to the worker, and when they may not commit."""

import os
import signal
import threading

import pytest

from diplomat_svc.operations.dispatch import JobWork
from diplomat_svc.store.tables import WORKERS
from mft_common.dispatch import Dispatcher
from mft_common.errors import Unavailable
from mft_common.process.worker_lock import Shared
from tests.servers.processes import wait_until
from tests.servers.stopwatch import Stopwatch


@pytest.fixture
def slow(hub, transaction):
    """Return a hub with a slow transaction and a quick one, and a file for each."""
    made = hub(
        transaction("slow", source={"files": ["slow"]}, bandwidth="20KiB/s", delete_source=True),
        transaction("quick", source={"files": ["quick"]}),
        diplomat={"jobs": {"stop_grace": "0s"}},
    ).log_in()
    (made.data / "from" / "slow").write_bytes(bytes(1 << 20))
    (made.data / "from" / "quick").write_bytes(b"x")
    (made.data / "to" / "slow").write_bytes(b"the former file")
    return made


@pytest.fixture
def silent(hub, transaction):
    """Return a hub whose job waits for a filestore that accepts and never answers."""
    over = threading.Event()

    def never(environ, start_response):
        over.wait(60)
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return [b""]

    move = transaction("hangs", source={"url": "filestore:/in"}, destination={"url": "filestore:/out"})
    yield hub(move, filestore=never, diplomat={"jobs": {"stop_grace": "0s", "lease": "2s"}}).log_in()
    over.set()


def child_of(runner):
    """Wait for the one child that runs, and return its process id."""
    return wait_until(lambda: next((handle.pid for handle in list(runner._handles) if handle.pid), 0))


def set_status(made, status):
    """Ask for the stop of the running job, as the requests cancel and terminate do."""
    with made.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET status = ? WHERE status = 'Running'", (status,))


def begun(made):
    """Wait until a part of the slow file is at its destination."""
    wait_until(lambda: any(path.stat().st_size for path in (made.data / "to").glob(".slow.*.part")), what="bytes")


def untouched(made):
    """Return whether the former file is there, whole, and nothing else, and the source stayed."""
    names = [path.name for path in (made.data / "to").iterdir() if path.name != "quick"]
    former = (made.data / "to" / "slow").read_bytes() == b"the former file"
    return names == ["slow"] and former and (made.data / "from" / "slow").exists()


def test_a_child_that_dies_ends_its_job_as_a_failure_and_the_worker_goes_on_e10_e27(slow, runner):
    """The log names the signal, the partial file is removed, and the next job runs."""
    with slow.work():
        slow.run("slow")
        begun(slow)
        os.kill(child_of(runner), signal.SIGSEGV)
        assert slow.finished("slow").findtext("completionStatus") == "Failure"
        slow.run("quick")
        assert slow.finished("quick").findtext("completionStatus") == "Successful"
    wait_until(lambda: untouched(slow), within=5)
    (text,) = [row.text for row in slow.rows("SELECT text FROM job_log") if "ended: Failure" in row.text]
    assert text.endswith("The process of the job was killed by SIGSEGV.")


@pytest.mark.parametrize(
    ("status", "completion"), [("Cancelling", "Cancelled"), ("Terminating", "Terminated"), ("Aborting", "Failure")]
)
def test_a_running_job_is_stopped_within_two_seconds_without_a_trace_e7_e8_e27(slow, runner, status, completion):
    """Cancelled between two blocks or killed: the former file stays, no temporary file and no process is left."""
    with slow.work():
        slow.run("slow")
        begun(slow)
        since = Stopwatch()
        set_status(slow, status)
        assert slow.finished("slow").findtext("completionStatus") == completion
        assert since.seconds < 2
        wait_until(lambda: untouched(slow) and not runner.running, within=5)


def test_a_job_that_hangs_in_a_silent_peer_is_terminated_within_two_seconds_e8(silent, runner):
    """A peer that accepts and never answers holds up neither the termination nor the removal of leftovers."""
    with silent.work():
        silent.run("hangs")
        child_of(runner)
        wait_until(lambda: silent.status("hangs").findtext("jobHistory/status") == "Running")
        since = Stopwatch()
        set_status(silent, "Terminating")
        assert silent.finished("hangs").findtext("completionStatus") == "Terminated"
        assert since.seconds < 2


def test_a_cancel_that_is_not_obeyed_goes_on_as_a_kill_e7(silent, runner):
    """A job that hangs cannot hear the request: it is killed after a while, and its end is still Cancelled."""
    service, stop = silent.service, threading.Event()
    work = JobWork(service.operations.writer, service.follower, runner)
    dispatcher = Dispatcher(work, service.database, WORKERS, lock=Shared(), obeys_within=0.5)
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    silent.run("hangs")
    child_of(runner)
    set_status_when_running(silent, "Cancelling")
    assert silent.finished("hangs").findtext("completionStatus") == "Cancelled"
    stop.set()
    thread.join()


def set_status_when_running(made, status):
    """Ask for the stop of a job once it runs."""
    wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE status = 'Running'"))
    set_status(made, status)


def test_a_stop_of_the_worker_ends_a_job_that_hangs_e11(silent, runner):
    """SIGTERM to a worker whose job waits for a silent peer: the job ends Incomplete, and no process is left."""
    with silent.work():
        silent.run("hangs")
        child_of(runner)
        wait_until(lambda: silent.rows("SELECT 1 FROM jobs WHERE status = 'Running'"))
        silent.run("hangs")
    rows = silent.rows("SELECT completion, status FROM jobs ORDER BY sequence")
    assert [tuple(row) for row in rows] == [("Incomplete", "Complete"), (None, "Queued")]
    assert silent.rows("SELECT 1 FROM leases WHERE owner <> ''") == [], "the worker signed out, so the queue is kept"
    wait_until(lambda: not runner.running, within=5)


def test_a_worker_that_cannot_renew_its_lease_kills_its_children_e13(slow, hub, transaction, runner):
    """A database that is away for longer than a lease: the child is gone before another worker may take over."""
    made = hub(
        transaction("slow", source={"files": ["slow"]}, bandwidth="20KiB/s"), diplomat={"jobs": {"lease": "1s"}}
    ).log_in()
    database, away, errors = made.service.database, threading.Event(), []
    write, apart, query = database.write, database.write_apart, database.query

    def refused(real):
        def call(*arguments):
            if away.is_set():
                raise Unavailable("the database is away")
            return real(*arguments)

        return call

    database.write, database.write_apart, database.query = refused(write), refused(apart), refused(query)

    def work():
        try:
            made.service.dispatcher().run(threading.Event())
        except Unavailable as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    made.run("slow")
    begun(made)
    pid = child_of(runner)
    away.set()
    thread.join(20)
    assert not thread.is_alive()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), within=2)  # noqa: PTH110 -- a process, not a file
    away.clear()
    assert made.finished("slow").findtext("completionStatus") == "Incomplete"
    assert len(errors) == 1
    with made.work():
        wait_until(lambda: untouched(made), within=5)


@pytest.mark.parametrize(("status", "completion"), [("Cancelling", "Cancelled"), ("Terminating", "Terminated")])
def test_a_child_that_dies_before_it_hears_of_a_request_ends_its_job_as_it_was_asked_to_e7_e8(
    slow, runner, status, completion
):
    """An accepted request decides how the job ends, as where its far side fails at that moment."""
    with slow.work():
        slow.run("slow")
        begun(slow)
        set_status(slow, status)
        os.kill(child_of(runner), signal.SIGSEGV)
        assert slow.finished("slow").findtext("completionStatus") == completion
    wait_until(lambda: untouched(slow), within=5)
