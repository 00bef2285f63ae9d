"""Deletions of sources at a partner's server that are cut off by kill -9, as those of this machine (E14, E24)."""

import asyncio
import os
import signal

import pytest

from mft_common.process.descendants import with_descendants
from tests.servers.processes import is_running, wait_until
from tests.servers.sick_sftp import PASSWORD, USER, Calls, SickSftp
from tests.service.diplomat_svc.worker_program import start_worker

OLD, NEWER = b"delivered", b"newer than what was delivered"


class Hanging(Calls):
    """A server that answers the removal of a file that is aside once the test is over."""

    def remove(self, path):
        """See SFTPServer."""
        if not path.startswith(b"/.."):
            return super().remove(path)
        self.server.count("hangs")
        return asyncio.get_running_loop().run_in_executor(None, self.server.released.wait)


@pytest.fixture
def server(tmp_path):
    """A partner's server with one file."""
    with SickSftp(tmp_path / "far", Hanging) as started:
        (started.root / "a.txt").write_bytes(OLD)
        yield started


@pytest.fixture
def made(hub, transaction, server, tmp_path):
    """Return a hub that moves the partner's files, in one attempt or two."""
    (tmp_path / "password").write_text(PASSWORD)
    partner = {
        "url": f"sftp://{USER}@127.0.0.1:{server.port}/",
        "password": {"file": str(tmp_path / "password")},
        "host_key": server.host_key,
    }
    source = {"url": "endpoint:far", "files": ["*.txt"]}
    again = {"file": 0, "job": 1, "job_delay": "2s"}
    definitions = [
        transaction("once", delete_source=True, source=source),
        transaction("again", delete_source=True, source=source, retries=again),
    ]
    one = hub(*definitions, endpoints={"far": partner}).log_in()
    one.config = {"endpoints": {"far": partner}, "diplomat": {"display_name": "dock-1"}, "transactions": definitions}
    return one


def killed_in_the_middle(made, server, name):
    """Run a job, and kill its worker and child once the source is aside; return the file that is."""
    child = start_worker(made)
    try:
        made.ready()
        made.run(name)
        wait_until(lambda: server.counts.get("hangs"), what="the source was moved aside")
    finally:
        processes = with_descendants([child.pid])
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        wait_until(lambda: not any(is_running(pid) for pid in processes))
    server.calls = Calls
    (aside,) = server.root.glob("..*")
    return aside


@pytest.mark.parametrize("name", ["once", "again"])
def test_a_source_at_a_server_whose_deletion_was_cut_off_is_removed(made, server, name):
    """It was delivered and its end was written: the file that was moved aside is not left under its hidden name."""
    aside = killed_in_the_middle(made, server, name)
    with made.work():
        wait_until(lambda: not aside.exists())
        made.finished(name)
    assert list(server.root.iterdir()) == []
    assert (made.data / "to" / "a.txt").read_bytes() == OLD


@pytest.mark.parametrize("name", ["once", "again"])
def test_a_newer_file_at_a_server_that_was_moved_aside_is_back_and_delivered_e24(made, server, name):
    """A file that the partner wrote on in the moment of the deletion has its name again, and the next job moves it."""
    killed_in_the_middle(made, server, name).write_bytes(NEWER)
    with made.work():
        made.finished(name)
        if name == "once":
            wait_until(lambda: [path.name for path in server.root.iterdir()] == ["a.txt"])
            made.run(name)
            assert made.finished(name).findtext("completionStatus") == "Successful"
        assert (made.data / "to" / "a.txt").read_bytes() == NEWER
    assert list(server.root.iterdir()) == []
