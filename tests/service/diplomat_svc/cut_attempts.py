"""Steps of tests whose job is killed or fails in an attempt, and ends in a later one."""

import contextlib
import os
import shutil
import signal

from tests.servers.diplomat_jobs import dock, log, tree
from tests.servers.processes import wait_until
from tests.service.diplomat_svc.worker_program import kill, start_worker

SEQUENCE = "0000000000000001"
BOTH = {
    "primary": {"url": "file:archive/originals", "content": "original"},
    "additional": {"url": "file:archive/delivered", "content": "delivered"},
}
RETRIES = {"file": 0, "file_delay": "10ms", "job": 1, "job_delay": "1s"}
SLOW = {"bandwidth": "6MiB/s", "retries": RETRIES, "delete_source": True}
LINE = b"a long line of text\r\n"
LARGE = os.urandom(4 << 20).replace(b"\r\n", b"--") + LINE * 1000


def configured(hub, files, one, **options):
    """Return a hub of one transaction, whose configuration a worker of its own can read."""
    made = dock(hub, files, one, **options)
    made.config = {"transactions": [one]}
    return made


def part_in(folder):
    """Return whether a large part of an unfinished file is below a folder."""
    # Smaller files come and go meanwhile.
    with contextlib.suppress(FileNotFoundError):
        return any(path.stat().st_size > len(LARGE) // 8 for path in folder.rglob("*.part"))
    return False


def kill_worker(made, _runner, condition):
    """Run the job in a worker of its own, and kill -9 that once the condition is true."""
    worker = start_worker(made)
    try:
        made.run("one")
        wait_until(condition)
    finally:
        kill(worker)


def kill_child(made, runner, condition):
    """Run the job, and kill -9 its process once the condition is true; the worker ends before the next attempt."""
    with made.work() as work:
        made.run("one")
        wait_until(condition)
        work.stop.set()
        os.kill(wait_until(lambda: next((one.pid for one in list(runner._handles) if one.pid), 0)), signal.SIGKILL)
    assert made.rows("SELECT 1 FROM jobs WHERE attempt = 2 AND status = 'Queued'")


def take_all(made):
    """Do what a partner does: take all files from the destination; return them."""
    taken = tree(made.data / "to")
    shutil.rmtree(made.data / "to")
    (made.data / "to").mkdir()
    return taken


def next_attempt(made):
    """Let the job's next attempt run to the job's end, and return how the job ended."""
    with made.work():
        job = made.finished("one")
    assert job.findtext("execAttempt") == "2", log(made)
    return job.findtext("completionStatus")


def attempt(made, number, later):
    """Run the job's attempt, and return once it waits for the next one."""
    if number == 1:
        made.run("one")
    else:
        later.now[0] += 700_000
    wait_until(lambda: made.rows(f"SELECT 1 FROM jobs WHERE attempt = {number + 1} AND status = 'Queued'"))


def test_copies_that_failed_are_tried_again_and_no_file_twice_e36(later):
    """An archive that is back in the third attempt turns the warning into a success, and the source is deleted."""
    made = later({"a": b"a", "b": b"b"}, archive=BOTH)
    (made.data / "to" / "b").mkdir()
    (made.data / "archive").mkdir()
    (made.data / "archive" / "originals").write_bytes(b"a file where a folder should be")
    with made.work():
        for number in (1, 2):
            attempt(made, number, later)
            (file,) = made.rows("SELECT completion, description FROM files WHERE source = 'a'")
            assert file.completion == "Warning"
            assert "the primary archive was not written" in file.description
            (made.data / "to" / "a").unlink(missing_ok=True)
        (made.data / "archive" / "originals").unlink()
        (made.data / "to" / "b").rmdir()
        later.now[0] += 700_000
        job = made.finished("one")
    assert {one.findtext("completionStatus") for one in job.iter("fileHistory")} == {"Successful"}
    assert (job.findtext("completionStatus"), job.findtext("execAttempt")) == ("Successful", "3")
    assert (job.findtext("filesSuccessful"), job.findtext("filesFailed")) == ("2", "0")
    assert tree(made.data / "to") == {"b": b"b"}
    copies = {f"{folder}/{name}-{SEQUENCE}": name.encode() for folder in ("originals", "delivered") for name in "ab"}
    assert tree(made.data / "archive") == copies
    assert tree(made.data / "from") == {}
    assert made.rows("SELECT warnings FROM jobs")[0].warnings == 0


def test_a_warning_of_the_delivery_stays_when_the_copies_are_there_e24(later):
    """The size of the text is out of the tolerance: its copies are made in the second attempt, and it stays."""
    made = later({"a": b"\r\n" * 50, "b": b"b"}, archive=BOTH, mode="ascii")
    (made.data / "to" / "b").mkdir()
    (made.data / "archive").mkdir()
    (made.data / "archive" / "delivered").write_bytes(b"a file where a folder should be")
    with made.work():
        attempt(made, 1, later)
        (made.data / "to" / "a").unlink()
        (made.data / "archive" / "delivered").unlink()
        (made.data / "to" / "b").rmdir()
        later.now[0] += 700_000
        assert made.finished("one").findtext("completionStatus") == "Warning"
    (file,) = made.rows("SELECT completion, description, copies_pending FROM files WHERE source = 'a'")
    assert (file.completion, "more than 10 % apart" in file.description) == ("Warning", True)
    assert file.copies_pending is None
    assert tree(made.data / "to") == {"b": b"b"}
    assert tree(made.data / "archive" / "delivered")[f"a-{SEQUENCE}"] == b"\n" * 50
    assert tree(made.data / "from") == {"a": b"\r\n" * 50}
