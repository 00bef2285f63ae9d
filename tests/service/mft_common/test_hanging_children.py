"""Stop and kill of children that hang in each kind of endpoint, in a FIFO or for a lock: over within 2 s (E8)."""

import contextlib
import fcntl
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.registry import Endpoints, modules_for
from mft_common.endpoints.section import Targets
from mft_common.endpoints.targets import Target
from mft_common.process.runner import Runner, child_environment
from tests.servers.processes import wait_until
from tests.servers.silent_peer import PARTS, WEB, Peer
from tests.servers.stopwatch import Stopwatch

WORK = "tests.servers.pieces_of_work"
GRACE_S = 0.3
WITHIN_S = 2.0
KINDS = ("filestore", "sftp", "ftp", "ftps", "s3", "http", "https")
FIELDS = {
    "sftp": {"user": "joe", "password": "x", "host_key": "SHA256:" + "A" * 43},
    "ftps": {"tls": "explicit"},
    "s3": {"key_id": "x", "secret": "x"},
}


@pytest.fixture(scope="module")
def runner():
    modules = [WORK, *modules_for(f"{kind}:" for kind in KINDS)]
    with Runner("test", modules, environment=child_environment(os.environ)) as made:
        yield made


def endpoint_payload(kind, port, folder):
    """Return the payload of a child that reads a file of an endpoint at a port of loopback."""
    filestore = Filestore(f"http://127.0.0.1:{port}", ("k" * 32,), str(folder))
    fields = {"host": "127.0.0.1", "port": port, "user": "anonymous", "folder": "/in", **FIELDS.get(kind, {})}
    if kind == "s3":
        fields |= {"host": "bucket", "port": 0, "user": "", "endpoint": f"http://127.0.0.1:{port}"}
    elif kind in ("http", "https"):
        fields["user"] = ""
    targets = {} if kind == "filestore" else {"far": Target(scheme=kind, name="far", **fields)}
    endpoints = Endpoints(Targets(targets), LocalFolders(folder), filestore)
    url = "filestore:/in" if kind == "filestore" else "endpoint:far"
    return {"how": "endpoint", "endpoints": endpoints.to_json(), "url": url}


@contextlib.contextmanager
def hanging(how, folder):
    """Yield the payload of a child that hangs, and a function that says whether it has come that far."""
    path = folder / "file"
    kind, _, where = how.partition(" ")
    if kind == "fifo":
        os.mkfifo(path)
        yield {"how": "fifo", "path": str(path)}, lambda: True
    elif kind == "lock":
        with path.open("w") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)
            yield {"how": "lock", "path": str(path)}, lambda: True
    elif kind == "database":
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield {"how": "database", "path": str(path)}, lambda: True
    else:
        peer = Peer() if where == "silent" else Peer(PARTS.get(kind, (b"", WEB)))
        try:
            yield endpoint_payload(kind, peer.port, folder), peer.reached.is_set
        finally:
            peer.close()


@pytest.mark.parametrize("way", ["kill", "stop"])
@pytest.mark.parametrize(
    "how", ["fifo", "lock", "database", *(f"{kind} {where}" for kind in KINDS for where in ("silent", "half"))]
)
def test_a_child_that_hangs_is_over_within_two_seconds_e8(runner, tmp_path, how, way):
    """A kill ends it at once, a stop after the grace that the worker gives; its programs are gone too."""
    pids = []
    with hanging(how, tmp_path) as (payload, reached):
        handle = runner.run(f"{WORK}:hang", payload, lambda _kind, data: pids.extend([data["pid"], *data["programs"]]))
        wait_until(lambda: pids and reached())
        assert handle.wait(0.1) is None, "it hangs"
        since = Stopwatch()
        if way == "stop":
            handle.stop()
            assert handle.wait(GRACE_S) is None
        handle.kill()
        end = handle.wait(20)
        assert since.seconds < WITHIN_S + (GRACE_S if way == "stop" else 0)
    assert (end.exit_code, end.killed) == (-signal.SIGKILL, True)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_file_endpoint_does_not_hang_in_a_fifo(runner, tmp_path):
    """A special file in a folder is refused instead of being opened: the child ends by itself."""
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "x.bin")
    payload = {"how": "endpoint", "endpoints": Endpoints(folders=LocalFolders(tmp_path)).to_json(), "url": "file:in"}
    end = runner.run(f"{WORK}:hang", payload, lambda _kind, _data: None).wait(60)
    assert (end.exit_code, end.error) == (1, "NotRegular")
