"""cancel and terminate of jobs that hang in each kind of endpoint: items 41 and 42, rules E7, E8 and E27."""

import fcntl
import os
import signal
import threading
from pathlib import Path

import pytest

from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until
from tests.servers.secret_search import found_in_processes
from tests.servers.silent_peer import PARTS, WEB, Peer
from tests.servers.stopwatch import Stopwatch

KINDS = ("sftp", "ftp", "ftps", "s3", "http", "https")
# A job that hangs cannot obey a cancel, and is killed after 10 s (E7).
WITHIN_S = {"terminate": 2.0, "cancel": 12.0}
ENDS = {"terminate": "Terminated", "cancel": "Cancelled"}


class SilentStore:
    """A filestore that accepts requests and never answers, or stops in the middle of an answer."""

    def __init__(self, *, half):
        self.half, self.over, self.reached = half, threading.Event(), threading.Event()

    def __call__(self, environ, start_response):
        self.reached.set()
        if not self.half:
            self.over.wait(120)
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "9999")])
        return self._body()

    def _body(self):
        yield b'{"files": ['
        self.over.wait(120)


def endpoint_of(kind, port, folder):
    """Return the section of an endpoint of a kind at a port of loopback; its secrets lie in files."""
    password = folder / "password"
    password.write_text(secret("password-of-a-silent-peer"))
    known = {"file": str(password)}
    if kind == "s3":
        return {
            "url": "s3://bucket/in",
            "endpoint": f"http://127.0.0.1:{port}",
            "key_id": known,
            "secret": known,
        }
    user = "" if kind in ("http", "https") else "joe@"
    section = {"url": f"{kind}://{user}127.0.0.1:{port}/in"}
    if user:
        section["password"] = known
    if kind == "sftp":
        section["host_key"] = "SHA256:" + "A" * 43
    return section


@pytest.fixture
def hanging(hub, transaction, tmp_path):
    """Return a function that makes a hub with a job that hangs for each kind of endpoint, all of them at that point."""
    peers, stores = [], []

    def make(where):
        endpoints, definitions = {}, []
        for kind in KINDS:
            peers.append(Peer((b"", b"") if where == "silent" else PARTS.get(kind, (b"", WEB))))
            endpoints[kind] = endpoint_of(kind, peers[-1].port, tmp_path)
            definitions.append(
                transaction(kind, source={"url": f"endpoint:{kind}", "files": ["x.bin"]}, delete_source=True)
            )
            peers.append(Peer())
            endpoints[f"to-{kind}"] = endpoint_of(kind, peers[-1].port, tmp_path)
            definitions.append(transaction(f"to-{kind}", destination={"url": f"endpoint:to-{kind}"}))
        stores.append(SilentStore(half=where == "half"))
        definitions.append(transaction("filestore", source={"url": "filestore:/in", "files": ["x.bin"]}))
        definitions.append(transaction("to-filestore", destination={"url": "filestore:/in"}))
        made = hub(
            *definitions,
            endpoints=endpoints,
            filestore=stores[-1],
            diplomat={"jobs": {"at_once": 64, "stop_grace": "0s"}},
        ).log_in()
        (made.data / "from" / "x.bin").write_bytes(b"content")
        made.names = [one["name"] for one in definitions]
        made.reached = lambda: all(peer.reached.is_set() for peer in peers) and stores[-1].reached.is_set()
        return made

    yield make
    for store in stores:
        store.over.set()
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("kind", ["terminate", "cancel"])
@pytest.mark.parametrize("where", ["silent", "half"])
def test_a_job_that_hangs_in_any_endpoint_is_stopped_41_42_e7_e8_e27(hanging, runner, kind, where):
    """Terminated within 2 s of the request, Cancelled within the time of E7; no file is delivered, no process left.

    Each job hangs where its source or its destination accepts and never answers, or stops in the middle of an answer.
    """
    made = hanging(where)
    took, watch = {}, Stopwatch()
    with made.work():
        for name in made.names:
            made.run(name)
        wait_until(made.reached, within=60, what="every job at its silent peer")
        asked, pids = {}, [handle.pid for handle in list(runner._handles) if handle.pid]
        assert len(pids) >= len(made.names)
        assert found_in_processes([os.getpid(), *pids]) == [], "the children have passwords, and show none"
        for name in made.names:
            asked[name] = watch.seconds
            assert made.call(kind, ("transactionName", name)).status == 200
            if kind == "terminate":
                assert made.finished(name).findtext("completionStatus") == "Terminated"
                took[name] = watch.seconds - asked[name]
        for name in made.names if kind == "cancel" else ():
            assert made.finished(name).findtext("completionStatus") == "Cancelled"
            took[name] = watch.seconds - asked[name]
        # The removal of temporary files from a far side that hangs has processes of its own, with a deadline.
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), within=5, what="no process of a job")
    print({name: round(seconds, 2) for name, seconds in took.items()})
    assert {name: seconds for name, seconds in took.items() if seconds > WITHIN_S[kind]} == {}
    assert list((made.data / "to").iterdir()) == []
    assert (made.data / "from" / "x.bin").read_bytes() == b"content"


@pytest.mark.parametrize("kind", ["terminate", "cancel"])
def test_a_job_whose_disk_hangs_is_stopped_e7_e8_e27(hub, transaction, runner, kind):
    """A process that is held up in the middle of a file of a folder, here by SIGSTOP, cannot obey and is killed."""
    made = hub(transaction("slow", source={"files": ["big"]}, bandwidth="64KiB/s", delete_source=True)).log_in()
    (made.data / "from" / "big").write_bytes(bytes(1 << 20))
    (made.data / "to" / "big").write_bytes(b"the former file")
    with made.work():
        made.run("slow")
        wait_until(lambda: any(path.stat().st_size for path in (made.data / "to").glob(".big.*.part")), what="bytes")
        (pid,) = [handle.pid for handle in list(runner._handles) if handle.pid]
        os.kill(pid, signal.SIGSTOP)
        since = Stopwatch()
        assert made.call(kind, ("transactionName", "slow")).status == 200
        assert made.finished("slow").findtext("completionStatus") == ENDS[kind]
        assert since.seconds < WITHIN_S[kind]
        wait_until(lambda: not runner.running, within=5, what="no process of the job")
    wait_until(lambda: [path.name for path in (made.data / "to").iterdir()] == ["big"], within=5)
    assert (made.data / "to" / "big").read_bytes() == b"the former file"
    assert (made.data / "from" / "big").stat().st_size == 1 << 20


def test_a_fifo_and_a_locked_file_of_a_folder_hang_no_job_e44(hub, transaction):
    """A special file is passed over with a warning, and a file that another program has locked is delivered."""
    made = hub(transaction("one")).log_in()
    os.mkfifo(made.data / "from" / "pipe")
    (made.data / "from" / "locked").write_bytes(b"content")
    with (made.data / "from" / "locked").open("rb") as held, made.work():
        fcntl.flock(held, fcntl.LOCK_EX)
        made.run("one")
        job = made.finished("one")
    assert (job.findtext("completionStatus"), job.findtext("filesFound")) == ("Successful", "1")
    assert [path.name for path in (made.data / "to").iterdir()] == ["locked"]
    assert any("pipe" in row.text for row in made.rows("SELECT text FROM job_log WHERE severity = 'Warning'"))
