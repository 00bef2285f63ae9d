"""`crossdock transfer` beside a hub that was started as users start it."""

import json

import pytest

from tests.e2e.clients import IbmMq
from tests.servers.hub import crossdock
from tests.servers.processes import wait_until


@pytest.fixture
def hub(start):
    """A running hub with two agents."""
    return start()


@pytest.fixture
def run(hub, tmp_path):
    """Run a subcommand of `transfer` on the hub's data folder."""

    def call(*arguments):
        return crossdock("transfer", *arguments, "--data", tmp_path / "data", cwd=tmp_path)

    assert hub.url
    return call


WORDS = ("submit", "--from", "AGENT1", "--to", "AGENT2")


def test_files_are_moved_between_agents(hub, run, tmp_path):
    """The exit code tells whether all arrived, some or none, and the REST API shows the same transfer."""
    source, destination = (tmp_path / "data" / "demo" / name for name in ("agent1", "agent2"))
    (source / "cargo").mkdir()
    for name in ("a.txt", "b.txt"):
        (source / "cargo" / name).write_text(name)
    done = run(*WORDS, "cargo/", "in/", "--watch", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["statistics"]["numberOfFileSuccesses"] == 2
    assert document["id"] in [one["id"] for one in IbmMq(hub.url).transfers()]
    assert (destination / "in" / "b.txt").read_text() == "b.txt"
    (destination / "in" / "a.txt").unlink()
    assert [run(*WORDS, "cargo/", "in/", "--watch").returncode for _ in range(2)] == [4, 1]
    listed = json.loads(run("list", "--agent", "agent2", "--format", "json").stdout)
    assert [one["status"]["state"] for one in listed] == ["failed", "partiallySuccessful", "successful"]


def test_a_transfer_that_runs_is_cancelled(run, tmp_path):
    """Its worker stops it; nothing is at the destination."""
    with (tmp_path / "data" / "demo" / "agent1" / "large.bin").open("wb") as file:
        file.truncate(8 << 30)
    id_ = run(*WORDS, "large.bin", "large.bin").stdout.strip()
    wait_until(lambda: "inProgress" in run("show", id_).stdout, what="its begin")
    assert run("cancel", id_[-16:]).returncode == 0
    done = run("watch", id_[-16:])
    assert (done.returncode, "cancelled" in done.stdout) == (5, True), done.stderr
    assert not (tmp_path / "data" / "demo" / "agent2" / "large.bin").exists()
