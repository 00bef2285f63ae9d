"""Deletions of sources that are cut off by kill -9: no file stays hidden, and none that is newer is lost (E14, E24)."""

import os
import signal

import pytest

from mft_common.process.descendants import with_descendants
from tests.servers.processes import is_running, program, wait_until
from tests.service.diplomat_svc.worker_program import start_worker

OLD, NEWER = b"delivered", b"newer than what was delivered"


@pytest.fixture
def made(hub, transaction):
    """Return a hub with transactions that delete their sources, with and without a second attempt, and one source."""
    again = {"file": 0, "job": 1, "job_delay": "2s"}
    definitions = [
        transaction("once", delete_source=True),
        transaction("again", delete_source=True, retries=again),
        transaction("same", delete_source=True, destination={"url": "file:from", "files": "*.done"}),
    ]
    for one in definitions:
        one["source"]["files"] = ["*.txt"]
    made = hub(*definitions).log_in()
    made.config = {"diplomat": {"display_name": "dock-1"}, "transactions": definitions}
    (made.data / "from" / "a.txt").write_bytes(OLD)
    return made


def killed_in_the_middle(made, name):
    """Run a job in a worker whose child dies when it removes the source that it has moved aside; kill all of it."""
    strace = [program(["strace"], "strace"), "-f", "-qq", "-o", "/dev/null", "-P", str(made.data / "from")]
    # In the same folder the first removal is that of what an earlier try may have left.
    when = 2 if name == "same" else 1
    inject = ["-e", "trace=unlinkat", "-e", f"inject=unlinkat:signal=SIGKILL:when={when}"]
    child = start_worker(made, lambda command: [*strace, *inject, *command])
    try:
        made.ready()
        made.run(name)
        wait_until(lambda: hidden(made), what="the source was moved aside")
    finally:
        processes = with_descendants([child.pid])
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        wait_until(lambda: not any(is_running(pid) for pid in processes))


def hidden(made):
    """Return the names of the files that are moved aside in the folder of the sources."""
    return [path.name for path in (made.data / "from").iterdir() if path.name.startswith("..")]


def names(made):
    """Return the names in the folder of the sources."""
    return sorted(path.name for path in (made.data / "from").iterdir())


@pytest.mark.parametrize("name", ["once", "again", "same"])
def test_a_source_whose_deletion_was_cut_off_is_removed_at_the_next_start(made, name):
    """It was delivered and its end was written: the file that was moved aside is not left under its hidden name."""
    killed_in_the_middle(made, name)
    assert len(hidden(made)) == 1
    with made.work():
        wait_until(lambda: not hidden(made))
        made.finished(name)
    assert names(made) == (["a.txt.done"] if name == "same" else [])


@pytest.mark.parametrize("name", ["once", "again", "same"])
def test_a_newer_file_that_was_moved_aside_is_back_and_delivered_e24(made, name):
    """A file that the partner wrote on in the moment of the deletion has its name again, and the next job moves it."""
    killed_in_the_middle(made, name)
    (aside,) = hidden(made)
    (made.data / "from" / aside).write_bytes(NEWER)
    with made.work():
        made.finished(name)
        wait_until(lambda: not hidden(made))
        if name != "again":
            assert (made.data / "from" / "a.txt").read_bytes() == NEWER
            made.run(name)
            assert made.finished(name).findtext("completionStatus") == "Successful"
        delivered = made.data / ("from/a.txt.done" if name == "same" else "to/a.txt")
        assert delivered.read_bytes() == NEWER
    assert "a.txt" not in names(made)
