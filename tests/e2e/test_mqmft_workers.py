"""A worker of mqmft-svc that is killed in mid-transfer is followed by another one (225)."""

import hashlib
import json
import os
import signal

import pytest

from tests.servers.mqmft_replicas import Replicas, body
from tests.servers.processes import wait_until
from tests.servers.proxy import Proxy

SIZE = 224 << 20
RATE = 24 << 20
# A checkpoint comes each half second at the latest; blocks are on their way, and a busy machine is late.
AGAIN = 2 * RATE


@pytest.fixture
def proxy(sshd):
    """The way to OpenSSH's server, which lets some bytes a second pass."""
    with Proxy(("127.0.0.1", sshd.port)) as made:
        made.throttle(RATE)
        yield made


@pytest.fixture(scope="module")
def content():
    """The bytes of a large file."""
    return os.urandom(1 << 20) * (SIZE >> 20)


@pytest.fixture
def hub(tmp_path, postgresql_url, amqp_url, sshd, proxy, content):
    """Two replicas without a worker, and an agent behind a slow way, which has a large file."""
    (tmp_path / "far").mkdir()
    (tmp_path / "far/large").write_bytes(content)
    agents = {"FAR": {"qmgr": "QM1", "root": "endpoint:far"}, "YARD": {"qmgr": "QM1", "root": "file:yard"}}
    far = {
        "url": f"sftp://{sshd.user}@127.0.0.1:{proxy.port}{tmp_path}/far",
        "key": {"file": str(sshd.key_path)},
        "host_key": sshd.host_keys["ed25519"],
    }
    document = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": agents}, "endpoints": {"far": far}}
    made = Replicas(tmp_path, database_url=postgresql_url, amqp_url=amqp_url, document=document)
    (made.data / "yard").mkdir(parents=True)
    try:
        yield made.start()
    finally:
        made.kill()


def safe(hub, id_):
    """Return the byte up to which a later run need not send the file again."""
    found = hub.rows(f"SELECT data FROM managed_file WHERE transfer = '{id_}'")
    return (json.loads(found[0][0])["checkpoint"] or {}).get("position", 0) if found else 0


def in_the_middle(hub, id_):
    """Wait until about half of the file is safe."""
    wait_until(lambda: safe(hub, id_) > SIZE // 3, within=120, every=0.1, what="a third of the file")


def is_whole(hub, id_, content):
    """Return whether the file is there, alone, with its bytes; and how the record tells of it."""
    (there,) = (hub.data / "yard").iterdir()
    assert (there.name, there.stat().st_size) == ("large", SIZE)
    with there.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(content).digest()
    for replica in hub.both:
        found = replica.transfer(id_)
        assert (found["status"]["state"], found["statistics"]["retryCount"]) == ("successful", 1)
        assert found["transferSet"]["bytesSent"] == SIZE
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest().upper()
        (item,) = found["transferSet"]["item"]
        assert {item[side]["checksum"]["value"] for side in ("source", "destination")} == {md5}
    assert hub.ends(id_) == 1
    return True


def test_225_a_killed_worker_is_taken_over_and_the_transfer_goes_on_from_its_checkpoint(hub, proxy, content):
    """Its bytes are whole, `retryCount` is 1, and what was safe at the moment of the kill is not sent again."""
    first = hub.worker()
    id_ = hub.both[0].submit(body("FAR", "YARD", ("large", "large")))
    in_the_middle(hub, id_)
    proxy.stall(to_client=True)
    hub.worker()
    there = safe(hub, id_)
    proxy.resume()
    wait_until(lambda: safe(hub, id_) > there, within=60, what="another checkpoint")
    assert hub.rows(f"SELECT status FROM managed WHERE id = '{id_}'") == [("running",)]
    first.kill_one(first.pid)
    wait_until(lambda: not first.lives(), what="the end of its children")
    kept, before = safe(hub, id_), proxy.to_client
    assert SIZE // 3 < kept < SIZE
    assert before - kept < AGAIN
    assert hub.both[1].ended(id_, within=150)["status"]["state"] == "successful"
    assert proxy.to_client - before < SIZE - kept + AGAIN // 8
    assert is_whole(hub, id_, content)


@pytest.mark.parametrize("frozen", ["worker", "all"])
def test_225_a_frozen_worker_writes_nothing_when_it_goes_on_after_its_lease(hub, proxy, content, frozen):
    """The worker alone or with its children: another one ends the transfer, and what wakes up changes nothing."""
    first = hub.worker()
    id_ = hub.both[0].submit(body("FAR", "YARD", ("large", "large")))
    in_the_middle(hub, id_)
    (first.send if frozen == "worker" else first.send_to_all)(signal.SIGSTOP)
    hub.worker()
    assert hub.both[1].ended(id_, within=150)["status"]["state"] == "successful"
    there = (hub.data / "yard/large").stat()
    rows = hub.rows("SELECT * FROM managed"), hub.rows("SELECT * FROM managed_file")
    (first.send if frozen == "worker" else first.send_to_all)(signal.SIGCONT)
    lost = '"task": "mqmft-svc-managed", "error": "MftError"'
    wait_until(lambda: lost in first.log.read_text(), what="the end of the lease in the log")
    id_after = hub.both[0].submit(body("FAR", "YARD", ("none", "none")))
    assert hub.both[1].ended(id_after)["status"]["state"] == "failed"
    now = (hub.data / "yard/large").stat()
    assert (now.st_ino, now.st_mtime_ns, now.st_size) == (there.st_ino, there.st_mtime_ns, there.st_size)
    mine = (
        hub.rows(f"SELECT * FROM managed WHERE id = '{id_}'"),
        hub.rows(f"SELECT * FROM managed_file WHERE transfer = '{id_}'"),
    )
    assert mine == rows
    assert is_whole(hub, id_, content)
