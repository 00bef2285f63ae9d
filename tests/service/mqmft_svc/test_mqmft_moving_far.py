"""Managed transfers with agents over SFTP, whose servers go away and come back (4.D)."""

import hashlib
import os
import signal
import threading
import time

import pytest

from mft_common.config import Reader
from mft_common.endpoints.registry import read_endpoints
from tests.servers.diplomat_jobs import tree
from tests.servers.managed_transfers import item
from tests.servers.openssh import OpenSsh
from tests.servers.processes import wait_until
from tests.servers.proxy import Proxy
from tests.servers.silent_peer import PARTS, Peer
from tests.servers.stopwatch import Stopwatch
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "transfer"]

DELETE = {"disposition": "delete"}
DIRECTORY = {"type": "directory"}
OVERWRITE = {"if_exists": "overwrite"}
OVER = {"recover": "", "stopped": False, "left": False}
LARGE = 32 << 20
# A checkpoint comes after half a second, once some bytes have passed.
HALF = LARGE // 2


@pytest.fixture
def proxy(sshd):
    """A way to OpenSSH's server that breaks and stalls as a test says."""
    with Proxy(("127.0.0.1", sshd.port)) as made:
        yield made


@pytest.fixture
def far(sshd, tmp_path):
    """Return a function that gives endpoints with `far`, a folder behind a port of this machine."""
    (tmp_path / "far").mkdir()

    def far(port, server=sshd):
        given = {
            "url": f"sftp://{server.user}@127.0.0.1:{port}{tmp_path}/far",
            "key": {"file": str(server.key_path)},
            "host_key": server.host_keys["ed25519"],
        }
        reader = Reader(tmp_path, {}, data=tmp_path)
        found = read_endpoints({"endpoints": {"far": given}}, reader, tmp_path)
        assert reader.problems == []
        return found

    return far


def stall_for(proxy, seconds, earlier=()):
    """Wait until the bytes stop, and let them go on after a while, also after the times of `earlier` checkpoints."""
    wait_until(lambda: proxy.stalled, what="the place at which the bytes stop")
    since = time.monotonic()
    wait_until(
        lambda: time.monotonic() - max([since, *earlier]) > seconds, what="the time of a checkpoint or of a report"
    )
    proxy.resume()


def at_half(one, proxy, *, recover=True, **half):
    """Start a run whose bytes stop at half of the file, let them go on, and return when its checkpoint is asked for.

    The child waits for the answer until the event that is returned is set.
    """
    told, answered, stopped, earlier = threading.Event(), threading.Event(), threading.Event(), []

    def hold(data):
        # On a busy machine a checkpoint may come before half of the bytes have, and they would never come.
        if not stopped.is_set() or data["checkpoint"]["position"] <= 4 << 20:
            earlier.append(time.monotonic())
            return
        told.set()
        assert answered.wait(60)

    one.before["checkpoint"] = hold
    proxy.stall_after(**half)
    one.start(recover=recover)
    wait_until(lambda: proxy.stalled, what="half of the bytes")
    stopped.set()
    stall_for(proxy, 0.6, earlier)
    assert told.wait(60)
    one.before.clear()
    return answered


@pytest.mark.parametrize("way", ["to", "from"])
def test_225_kill_9_in_mid_file_and_the_next_run_sends_only_the_rest(transfer, tmp_path, far, proxy, way):
    """Items 223 and 225: the unfinished file is gone on with, in both directions, and both checksums are right."""
    sides = {"to": ("file:from", "endpoint:far"), "from": ("endpoint:far", "file:to")}[way]
    one = transfer(item("a", "b"), endpoints=far(proxy.port), source=sides[0], destination=sides[1])
    target = tmp_path / ("far" if way == "to" else "to")
    content = os.urandom(LARGE)
    (tmp_path / ("from" if way == "to" else "far") / "a").write_bytes(content)
    answered = at_half(one, proxy, **{"to_server" if way == "to" else "to_client": HALF})
    os.kill(one.handle.pid, signal.SIGKILL)
    answered.set()
    assert one.handle.wait(20).exit_code == -signal.SIGKILL
    (temporary,) = target.iterdir()
    inode, safe = temporary.stat().st_ino, one.one().checkpoint["position"]
    before, read = proxy.to_server, proxy.to_client
    assert safe > 4 << 20
    assert one.run() == OVER
    assert (target / "b").read_bytes() == content
    assert (target / "b").stat().st_ino == inode
    assert len(list(target.iterdir())) == 1
    passed = proxy.to_server - before if way == "to" else proxy.to_client - read
    assert passed < LARGE - safe + (2 << 20)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert (one.one().source_md5, one.one().delivered_md5) == (digest, digest)
    assert (one.one().state, one.one().bytes_done) == ("successful", LARGE)


def test_225_a_server_that_is_away_in_mid_file_means_recovery_from_the_checkpoint(transfer, tmp_path, far, proxy):
    """Item 225: the run ends with the reason, and the next one goes on where this one was."""
    one = transfer(item("a", "b"), endpoints=far(proxy.port), destination="endpoint:far")
    content = os.urandom(LARGE)
    (one.source / "a").write_bytes(content)
    answered = at_half(one, proxy, to_server=HALF)
    proxy.refuse()
    answered.set()
    result = one.handle.wait(20).result
    assert result["recover"].endswith(".")
    assert (result["stopped"], result["left"], one.states()) == (False, True, ["moving"])
    proxy.accept()
    before = proxy.to_server
    assert one.run() == OVER
    assert tree(tmp_path / "far") == {"b": content}
    assert proxy.to_server - before < LARGE - (4 << 20)


def test_226_what_is_at_the_destination_is_counted_while_its_source_is_read_again(transfer, tmp_path, far, proxy):
    """Items 223 and 226: where digests cannot be stored they need the first bytes, which are sent already."""
    one = transfer(item("a", "b"), endpoints=far(proxy.port), source="endpoint:far")
    (tmp_path / "far" / "a").write_bytes(bytes(LARGE))
    answered = at_half(one, proxy, to_client=HALF)
    proxy.refuse()
    answered.set()
    assert one.handle.wait(20).result["recover"]
    safe, before = one.one().checkpoint["position"], len(one.messages)
    one.files[0] = one.one().changed(checkpoint={**one.one().checkpoint, "digested": 0, "sha256": "", "md5": ""})
    proxy.accept()
    proxy.stall_after(to_client=2 << 20)
    one.start()
    stall_for(proxy, 0.6)
    assert one.handle.wait(20).result == OVER
    told = [data["bytes_done"] for kind, data in one.messages[before:] if kind == "progress"]
    assert len(told) > 1
    assert told[0] == safe
    assert told[-1] == LARGE


@pytest.mark.parametrize("recover", [True, False])
def test_225_an_unfinished_file_stays_only_where_another_run_goes_on_with_it(transfer, tmp_path, far, proxy, recover):
    """Item 225: a source that goes away in mid-file leaves a file to go on with, or none."""
    one = transfer(item("a", "b"), endpoints=far(proxy.port), source="endpoint:far")
    content = os.urandom(LARGE)
    (tmp_path / "far" / "a").write_bytes(content)
    answered = at_half(one, proxy, recover=recover, to_client=HALF)
    proxy.refuse()
    answered.set()
    result = one.handle.wait(20).result
    assert (bool(result["recover"]), one.states()) == ((True, ["moving"]) if recover else (False, ["failed"]))
    left = [path.stat().st_ino for path in one.destination.iterdir()]
    assert len(left) == recover
    if recover:
        proxy.accept()
        assert one.run() == OVER
        assert [path.stat().st_ino for path in one.destination.iterdir()] == left
        assert tree(one.destination) == {"b": content}


@pytest.mark.parametrize("side", ["source", "destination"])
def test_225_a_server_that_is_away_means_recovery_or_failure(transfer, far, proxy, side):
    """Item 225: where no recovery is wanted, each file fails with the reason; else the next run brings them."""
    wanted = item("a", "b"), item("c", "d")
    one = transfer(*wanted, files={"a": b"1", "c": b"2"}, endpoints=far(proxy.port), **{side: "endpoint:far"})
    proxy.refuse()
    result = one.run(recover=True)
    assert "far" in result["recover"] or "connection" in result["recover"], result
    assert one.messages == []
    assert one.run() == OVER
    assert one.states() == ["failed", "failed"]
    assert all(file.description.startswith("BFGTR0072E: ") for file in one.files.values())


def test_225_a_server_that_is_silent_is_waited_for_as_long_as_the_order_says(transfer, far):
    """Item 225: the limits of the endpoint itself are longer."""
    peer = Peer(PARTS["sftp"])
    try:
        one = transfer(item("a", "b"), files={"a": b"1"}, endpoints=far(peer.port), destination="endpoint:far")
        since = Stopwatch()
        assert one.run(recover=True, patience_s=0.5)["recover"]
        assert since.seconds < 5
    finally:
        peer.close()


def test_225_an_error_that_heals_is_tried_again_and_counted(transfer, tmp_path, far, proxy):
    """Item 225: a connection that breaks in mid-file costs a try."""
    one = transfer(item("a", "b"), endpoints=far(proxy.port), destination="endpoint:far")
    (one.source / "a").write_bytes(bytes(LARGE))
    proxy.cut_after(to_server=HALF)
    assert one.run(retry_count=1, recover=True) == OVER
    assert (one.one().state, one.one().tries) == ("successful", 2)
    assert (tmp_path / "far" / "b").stat().st_size == LARGE


def test_217_source_and_destination_are_the_same_file_of_a_server(transfer, tmp_path, far, sshd):
    """Item 217: by other spellings of its path: it stays."""
    (tmp_path / "far" / "a").write_bytes(b"content")
    wanted = item("a", "//./a", source_options=DELETE, destination_options=OVERWRITE)
    one = transfer(wanted, endpoints=far(sshd.port), source="endpoint:far", destination="endpoint:far")
    assert one.run() == OVER
    assert one.one().description == "BFGTR0072E: a: source and destination are the same file."
    assert tree(tmp_path / "far") == {"a": b"content"}


def test_217_links_of_a_server_are_not_followed(transfer, tmp_path, far, sshd):
    """Item 217: neither as a file nor as a folder in a path, to read and to write."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (tmp_path / "far" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "far" / "file").symlink_to(tmp_path / "outside" / "secret")
    endpoints = far(sshd.port)
    wanted = [item(name, "x") for name in ("link/secret", "link/*", "file")]
    one = transfer(*wanted, item("link", "x", source_options=DIRECTORY), endpoints=endpoints, source="endpoint:far")
    assert one.run() == OVER
    assert [file.description[:12] for file in one.files.values()] == ["BFGIO0056E: "] * 4
    assert tree(one.destination) == {}
    wanted = [item("a", name, destination_options=OVERWRITE) for name in ("link/secret", "link/new/x", "link/", "file")]
    folder = tmp_path / "writing"
    one = transfer(*wanted, files={"a": b"x"}, folder=folder, endpoints=endpoints, destination="endpoint:far")
    one.payload["source"] = "file:writing/from"
    assert one.run() == OVER
    assert [file.description[:12] for file in one.files.values()] == ["BFGIO0056E: "] * 4
    assert tree(tmp_path / "outside") == {"secret": b"secret"}


def test_224_a_source_that_cannot_be_deleted_is_a_warning(transfer, tmp_path, far):
    """Item 224: the file has arrived, and its source stays."""
    with OpenSsh(tmp_path / "sshd", sftp_server_options=("-R",)) as server:
        (tmp_path / "far" / "a").write_bytes(b"content")
        wanted = item("/a", "b", source_options=DELETE)
        one = transfer(wanted, endpoints=far(server.port, server), source="endpoint:far")
        assert one.run(retry_count=1) == OVER
    assert one.one().state == "warning"
    assert one.one().description == "The source was not deleted: a: access is refused."
    assert tree(one.destination) == {"b": b"content"}
    assert tree(tmp_path / "far") == {"a": b"content"}
