"""Further attempts of a job: they go on where the one before was killed, and deliver nothing twice (E3, E14)."""

import hashlib
import os
import re
import signal

import pytest

from tests.servers.openssh import OpenSsh
from tests.servers.processes import wait_until
from tests.service.diplomat_svc.worker_program import kill, start_worker

SIZE = 40 << 20
RETRIES = {"file": 0, "file_delay": "10ms", "job": 1, "job_delay": "0s"}


@pytest.fixture(params=["file", "sftp"])
def made(request, hub, transaction, tmp_path):
    """Return a hub whose job moves a small and a large file, slowly, and may be tried once more."""
    endpoints, url = {}, "file:to"
    with OpenSsh(tmp_path / "sshd") if request.param == "sftp" else open(os.devnull) as server:  # noqa: PTH123
        if request.param == "sftp":
            key = {"file": str(server.key_path)}
            far = f"sftp://{server.user}@127.0.0.1:{server.port}{tmp_path}/to"
            endpoints, url = {"far": {"url": far, "key": key, "host_key": server.host_keys["ed25519"]}}, "endpoint:far"
        move = transaction("move", bandwidth="6MiB/s", retries=RETRIES, delete_source=True, destination={"url": url})
        one = hub(move, endpoints=endpoints).log_in()
        one.config = {"endpoints": endpoints, "transactions": [move], "diplomat": {"jobs": {"lease": "1s"}}}
        (one.data / "from" / "a").write_bytes(b"the small one")
        (one.data / "from" / "large").write_bytes(os.urandom(SIZE))
        yield one


def part_of(made):
    """Return the size of the unfinished file at the destination."""
    return max((path.stat().st_size for path in (made.data / "to").glob(".large.*.part")), default=0)


def kill_amid(made):
    """Run the job in a worker of its own, kill -9 that in the middle of the large file, and return how far it was."""
    worker = start_worker(made)
    try:
        made.run("move")
        wait_until(lambda: part_of(made) > 16 << 20, what="a good part of the file")
    finally:
        kill(worker)
    return part_of(made)


def test_the_next_attempt_goes_on_where_a_killed_worker_was_e14(made):
    """The right bytes arrive, fewer than a tenth of them are sent again, and what was delivered is left alone."""
    expected = hashlib.sha256((made.data / "from" / "large").read_bytes()).hexdigest()
    sent = kill_amid(made)
    before = (made.data / "to" / "a").stat()
    with made.work():
        job = made.finished("move")
    assert (job.findtext("completionStatus"), job.findtext("execAttempt")) == ("Successful", "2")
    assert hashlib.sha256((made.data / "to" / "large").read_bytes()).hexdigest() == expected
    (text,) = [row.text for row in made.rows("SELECT text FROM job_log") if "Delivered large" in row.text]
    resumed = int(re.search(r"(\d+) of the bytes were there", text)[1])
    # The last checkpoint may be at the very end of what was sent.
    assert 0 <= sent - resumed < SIZE // 10
    assert (made.data / "to" / "a").stat() == before
    assert (job.findtext("filesFound"), job.findtext("filesSuccessful"), job.findtext("filesFailed")) == ("2", "2", "0")
    assert {path.name for path in (made.data / "to").iterdir()} == {"a", "large"}
    assert list((made.data / "from").iterdir()) == []
    assert made.rows("SELECT bytes_done FROM jobs")[0].bytes_done == SIZE + len(b"the small one")


@pytest.mark.parametrize("made", ["file"], indirect=True)
def test_a_source_that_changed_since_is_begun_anew_b17(made):
    """No part of the former content is delivered, and the unfinished copy of it is gone."""
    kill_amid(made)
    changed = os.urandom(SIZE // 4)
    (made.data / "from" / "large").write_bytes(changed)
    with made.work():
        assert made.finished("move").findtext("completionStatus") == "Successful"
    assert (made.data / "to" / "large").read_bytes() == changed
    assert {path.name for path in (made.data / "to").iterdir()} == {"a", "large"}


@pytest.mark.parametrize("made", ["file"], indirect=True)
def test_a_job_whose_child_dies_goes_on_and_after_its_last_attempt_leaves_nothing_e10_e27(made, runner):
    """The first death makes it wait for its next attempt, the second one ends it as a failure."""
    with made.work():
        made.run("move")
        for attempt in (1, 2):
            wait_until(lambda: part_of(made) > 2 << 20, what="a part")
            wait_until(lambda n=attempt: made.rows(f"SELECT 1 FROM jobs WHERE status = 'Running' AND attempt = {n}"))
            os.kill(wait_until(lambda: next((one.pid for one in list(runner._handles) if one.pid), 0)), signal.SIGKILL)
            if attempt == 1:
                wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE attempt = 2"))
                assert part_of(made), "it stays for the next attempt"
        job = made.finished("move")
        assert (job.findtext("completionStatus"), job.findtext("execAttempt")) == ("Failure", "2")
        wait_until(lambda: {path.name for path in (made.data / "to").iterdir()} == {"a"}, within=5)
    assert (made.data / "from" / "large").exists()


@pytest.mark.parametrize("wait", ["cancel", "terminate"])
def test_a_job_that_is_stopped_between_two_attempts_leaves_nothing_a34_e27(hub, transaction, runner, wait):
    """It ends at once, and so does the record of each of its files; the unfinished copy goes."""
    retries = {"file": 0, "job": 1, "job_delay": "10m"}
    made = hub(transaction("move", bandwidth="2MiB/s", retries=retries)).log_in()
    (made.data / "from" / "large").write_bytes(os.urandom(SIZE // 4))
    with made.work():
        made.run("move")
        wait_until(lambda: part_of(made) > 1 << 20, what="a part")
        os.kill(wait_until(lambda: next((one.pid for one in list(runner._handles) if one.pid), 0)), signal.SIGKILL)
        wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE attempt = 2"))
        assert made.call(wait, ("transactionName", "move")).status == 200
        job = made.finished("move")
        assert job.findtext("completionStatus") == {"cancel": "Cancelled", "terminate": "Terminated"}[wait]
        assert job.findtext("fileHistory/status") == "Complete"
        wait_until(lambda: not list((made.data / "to").iterdir()), within=5)


def test_a_failed_job_keeps_its_place_while_it_waits_e3(hub, transaction):
    """Its next attempt begins after its delay; the jobs of its transaction wait for it, those of others do not."""
    now = [1_000_000]
    retries = {"file": 0, "job": 1, "job_delay": "10m"}
    moves = [transaction("one", retries=retries, fail_if_not_found=True), transaction("other")]
    made = hub(*moves, clock=lambda: now[0]).log_in()
    with made.work():
        made.run("one")
        wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE attempt = 2 AND status = 'Queued'"))
        (made.data / "from" / "f").write_bytes(b"x")
        made.run("one")
        made.run("other")
        made.finished("other")
        assert [row.status for row in made.rows("SELECT status FROM jobs ORDER BY sequence")][:2] == ["Queued"] * 2
        now[0] += 700_000
        made.finished("one")
    rows = made.rows("SELECT completion, attempt, began_at FROM jobs WHERE transaction_id = 1 ORDER BY sequence")
    assert [(row.completion, row.attempt) for row in rows] == [("Successful", 2), ("Successful", 1)]
    assert rows[0].began_at < rows[1].began_at
    (text,) = [row.text for row in made.rows("SELECT text FROM job_log") if "Attempt 1 failed" in row.text]
    assert text.endswith("No file was found. The next one begins in 600 s.")


def test_a_last_attempt_that_finds_no_source_removes_what_the_first_one_left_e27(hub, transaction, runner):
    """It ends before it has anything to do with its destination, where the unfinished copy of the first one is."""
    made = hub(transaction("move", bandwidth="2MiB/s", retries={**RETRIES, "job_delay": "1s"})).log_in()
    (made.data / "from" / "large").write_bytes(os.urandom(SIZE // 4))
    with made.work():
        made.run("move")
        wait_until(lambda: part_of(made) > 1 << 20, what="a part")
        os.kill(wait_until(lambda: next((one.pid for one in list(runner._handles) if one.pid), 0)), signal.SIGKILL)
        (made.data / "from").rename(made.data / "elsewhere")
        job = made.finished("move")
        assert (job.findtext("completionStatus"), job.findtext("execAttempt")) == ("Failure", "2")
        wait_until(lambda: not list((made.data / "to").iterdir()), within=5)


@pytest.fixture
def later(hub, transaction):
    """Return a function that makes a hub whose next attempts begin when `later.now` says so."""
    now = [1_000_000]

    def make(**more):
        retries = {"file": 0, "job": 1, "job_delay": "10m"}
        return hub(transaction("move", retries=retries, **more), clock=lambda: now[0]).log_in()

    make.now = now
    return make


def first_attempt(made):
    """Run the job, and return once it waits for its second attempt."""
    made.run("move")
    wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE attempt = 2 AND status = 'Queued'"))


def ends_of(job):
    """Return how the job and its files ended."""
    files = {one.findtext("source"): one.findtext("completionStatus") for one in job.iter("fileHistory")}
    return job.findtext("completionStatus"), files


def test_a_file_with_a_warning_is_delivered_once_and_keeps_its_source_over_attempts_e24(later):
    """It is a warning from the first moment on, so that no crash makes it a success, whose source would be deleted."""
    made = later(mode="ascii", delete_source=True, destination={"if_exists": "fail"})
    (made.data / "from" / "a").write_bytes(b"\r\n" * 50)
    (made.data / "from" / "b").write_bytes(b"b")
    (made.data / "to" / "b").mkdir()
    with made.service.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE seen (place INTEGER, completion TEXT)")
        connection.exec_driver_sql(
            "CREATE TRIGGER look AFTER UPDATE OF completion ON files "
            "BEGIN INSERT INTO seen VALUES (NEW.place, NEW.completion); END"
        )
    with made.work():
        first_attempt(made)
        later.now[0] += 700_000
        assert ends_of(made.finished("move")) == ("Failure", {"a": "Warning", "b": "Failure"})
    assert {row.completion for row in made.rows("SELECT completion FROM seen WHERE place = 0")} == {"Warning"}
    assert (made.data / "from" / "a").exists()


def test_a_file_that_is_gone_before_the_next_attempt_is_a_failure_e23(later):
    """A file that the first attempt did not deliver is missing at the destination, whatever became of the others."""
    made = later(delete_source=True)
    (made.data / "from" / "a").write_bytes(b"a")
    (made.data / "from" / "b").write_bytes(b"b")
    (made.data / "to" / "b").mkdir()
    with made.work():
        first_attempt(made)
        (made.data / "from" / "b").unlink()
        later.now[0] += 700_000
        job = made.finished("move")
        assert ends_of(job) == ("Failure", {"a": "Successful", "b": "Failure"})
    assert (job.findtext("filesFound"), job.findtext("filesSuccessful"), job.findtext("filesFailed")) == ("2", "1", "1")


def test_a_job_for_which_no_process_could_be_started_is_tried_again_e3(hub, transaction, runner):
    """As one whose process died: the next attempt finds a place among the processes."""
    made = hub(transaction("move", retries={**RETRIES, "job_delay": "1s"})).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    limit, runner.limit = runner.limit, 0
    try:
        with made.work():
            made.run("move")
            wait_until(lambda: made.rows("SELECT 1 FROM job_log WHERE text LIKE '%No process could be started%'"))
            runner.limit = limit
            job = made.finished("move")
    finally:
        runner.limit = limit
    assert (job.findtext("completionStatus"), job.findtext("execAttempt")) == ("Successful", "2")
