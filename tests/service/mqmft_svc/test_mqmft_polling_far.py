"""Monitors of agents that are far away or silent, and workers that are killed (216, 237)."""

import collections
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.servers.made_secrets import secret
from tests.servers.monitor_bodies import body, config
from tests.servers.monitored import create, sources, transfers
from tests.servers.openssh import OpenSsh
from tests.servers.processes import wait_until
from tests.servers.s3 import KEY_ID, SECRET, S3Server
from tests.servers.silent_peer import Peer
from tests.servers.stopwatch import Stopwatch

PASSWORD = secret("password-of-monitored-agents")
PATIENT = {"connect": "10m", "idle": "1h"}


@pytest.fixture
def make(tmp_path, open_hub, open_polls, runner):
    """Return a function that builds a service with agents, and its watcher."""

    def make(agents, endpoints=(), environ=(), **options):
        for name in ("quay/in", "yard"):
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
        given = config({"QUAY": "file:quay", "YARD": "file:yard", **agents}, endpoints=dict(endpoints))
        hub = open_hub(given, environ, runner=runner)
        return hub, open_polls(hub, **options)

    return make


def test_237_the_folder_of_an_sftp_server_is_polled(make, tmp_path):
    """Items 216, 237: with levels below; a file that changed triggers again, one that stayed does not."""
    with OpenSsh(tmp_path / "sshd") as server:
        far = tmp_path / "far"
        (far / "in/a/b").mkdir(parents=True)
        (far / "in/1").write_bytes(b"1")
        (far / "in/a/2").write_bytes(b"2")
        (far / "in/a/b/3").write_bytes(b"3")
        url = f"sftp://{server.user}@127.0.0.1:{server.port}{far}"
        endpoint = {"url": url, "key": {"env": "KEY"}, "host_key": server.host_keys["ed25519"]}
        hub, polls = make({"FAR": "endpoint:far"}, {"far": endpoint}, {"KEY": server.key})
        create(hub, body(agentName="FAR", resource={"name": "/in/", "recursionLevel": 1}))
        polls.poll(times=3)
        assert sorted(sources(hub)) == [["/in/1"], ["/in/a/2"]]
        os.utime(far / "in/1", (1, 1))
        polls.poll(20, times=3)
        assert sorted(sources(hub)) == [["/in/1"], ["/in/1"], ["/in/a/2"]]


def test_237_the_objects_of_a_bucket_are_polled(make, tmp_path):
    """Items 216, 237: names below the prefix of the resource."""
    server = S3Server(tmp_path)
    try:
        server.client.create_bucket(Bucket="landing")
        server.client.put_object(Bucket="landing", Key="box/in/1", Body=b"1")
        server.client.put_object(Bucket="landing", Key="box/other", Body=b"1")
        endpoint = {"url": "s3://landing/box", "endpoint": server.url, "key_id": {"env": "ID"}, "secret": {"env": "S"}}
        hub, polls = make({"FAR": "endpoint:far"}, {"far": endpoint}, {"ID": KEY_ID, "S": SECRET})
        create(hub, body(agentName="FAR"))
        polls.poll(times=2)
        assert sources(hub) == [["in/1"]]
    finally:
        server.program.kill()


def test_237_far_sides_that_are_silent_hold_up_nobody(make, tmp_path):
    """Item 237: a dozen of them; each child is killed after its time, and a folder is polled meanwhile."""
    peer = Peer()
    try:
        url = f"ftp://user@127.0.0.1:{peer.port}/in"
        endpoints = {f"e{n}": {"url": url, "password": {"env": "P"}, "timeouts": PATIENT} for n in range(12)}
        agents = {f"SILENT{n}": f"endpoint:e{n}" for n in range(12)}
        hub, polls = make(agents, endpoints, {"P": PASSWORD}, silence=2.0)
        for name in agents:
            create(hub, body(agentName=name))
        # The first round learns that they are silent.
        wait_until(lambda: polls.watcher.step() and _failing(polls) == 12, within=60)
        polls.at += 100
        at_once = []

        def step():
            polls.watcher.step()
            at_once.append(sum("SILENT" in folder for folder in polls.watcher._running))

        step()
        since = Stopwatch()
        create(hub, body("QUICK"))
        (tmp_path / "quay/in/x").write_bytes(b"x")
        polls.at += 1

        def taken():
            step()
            return sources(hub) == [["in/x"]]

        wait_until(taken, within=60)
        assert 1 <= max(at_once) <= 4
        assert since.seconds < 20
        polls.finish()
        assert sources(hub) == [["in/x"]]
    finally:
        peer.close()


def _failing(polls):
    return sum(scan.is_failing for scan in polls.watcher._scans.values())


def test_217_a_monitor_looks_at_nothing_outside_the_root_of_its_agent(make, tmp_path, log):
    """Item 217: neither by an absolute path nor by a link; on a folder an absolute path within the root is that one."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/x").write_bytes(b"x")
    hub, polls = make({})
    (tmp_path / "quay/link").symlink_to(tmp_path / "secret")
    (tmp_path / "quay/in/x").write_bytes(b"x")
    create(hub, body("LINK", resource__name="link"))
    create(hub, body("ABSOLUTE", resource__name=f"{tmp_path}/secret"))
    create(hub, body("WITHIN", resource__name=f"{tmp_path}/quay/in"))
    polls.poll(times=2)
    assert [one["job"]["name"] for one in transfers(hub)] == ["WITHIN"]
    assert sources(hub) == [[f"{tmp_path}/quay/in/x"]]
    assert log.getvalue().count("folder.unreadable") == 2
    assert '"LINK of QUAY"' in log.getvalue()
    assert '"ABSOLUTE of QUAY"' in log.getvalue()


def test_237_an_agent_that_moves_to_another_folder_is_looked_at_there(make, tmp_path):
    """A configuration that is applied reaches a watcher that runs."""
    hub, polls = make({"MOVES": "file:one"})
    for name in ("one", "two"):
        (tmp_path / name / "in").mkdir(parents=True)
        (tmp_path / name / "in" / name).write_bytes(b"x")
    create(hub, body(agentName="MOVES"))
    polls.poll(times=2)
    make({"MOVES": "file:two"})
    polls.poll(times=6)
    assert sources(hub) == [["in/one"], ["in/two"]]


PROGRAM = textwrap.dedent("""
    import os, sys, threading
    from pathlib import Path
    from mft_common import logs
    from mft_common.config import Reader
    from mft_common.process.runner import Runner, child_environment
    from mqmft_svc.bootstrap import child_modules
    from tests.servers.monitor_bodies import config
    from tests.service.mqmft_svc.mqmft_hub import Hub
    logs.configure("test", "error")
    folder, url = Path(sys.argv[1]), sys.argv[2]
    with Runner("mqmft-svc", child_modules({}), environment=child_environment(os.environ)) as runner:
        reader = Reader(folder, {}, data=folder)
        hub = Hub(folder, config=config(), reader=reader, runner=runner, MQMFT_DATABASE_URL=url)
        watcher = hub.service.watcher(ttl=1.0)
        print("ready", flush=True)
        watcher.run(threading.Event())
""")


def test_237_a_worker_that_is_killed_triggers_neither_twice_nor_never(make, tmp_path, database_url):
    """Item 237: each file begins exactly one transfer, whenever kill -9 comes, while two workers take turns."""
    hub, _ = make({})
    create(hub, body())
    folder = tmp_path / "quay/in"
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), database_url]
    workers = []

    def start():
        workers.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        return workers[-1]

    def taken():
        return int(hub.mft("?limit=1").headers["ibm-mq-rest-mft-total-transfers"])

    try:
        running = [start(), start()]
        for one in running:
            assert one.stdout.readline() == "ready\n"
        total = 0
        for _ in range(4):
            before, total = taken(), total + 60
            for number in range(total - 60, total):
                (folder / f"f{number}").write_bytes(b"x")
            # Amid the hand-over of these files, whose transfers become visible one after another.
            wait_until(lambda before=before: taken() > before + 5, within=60)
            victim = running.pop(0)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            running.append(start())
        wait_until(lambda: taken() >= total, within=60)
        (folder / "last").write_bytes(b"x")
        wait_until(lambda: taken() > total, within=60)
    finally:
        for one in workers:
            one.kill()
            one.communicate()
    counted = collections.Counter(path for paths in sources(hub) for path in paths)
    assert set(counted.values()) == {1}
    assert len(counted) == total + 1
