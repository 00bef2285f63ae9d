"""The worker probes the agents: each state by its real cause, over both kinds of database (184)."""

import contextlib
import itertools
import os
import subprocess
import sys
import threading

import pytest

from mqmft_svc.operations.agent_child import PROBE
from mqmft_svc.operations.probing import Prober
from mqmft_svc.store.tables import LEASES
from tests.servers.made_secrets import secret
from tests.servers.processes import free_port, program, wait_until
from tests.servers.s3 import KEY_ID, SECRET, S3Server
from tests.servers.silent_peer import Peer
from tests.servers.stopwatch import Stopwatch
from tests.servers.unkillable import unkillable

# A server that hangs is waited for longer than a test lasts, unless its probe is killed.
PATIENT = {"connect": "10m", "idle": "1h"}
PASSWORD = secret("password-of-agents")


class Recorded:
    """A runner that notes the agents whose probes it begins."""

    def __init__(self, runner):
        self._runner = runner
        self.begun = []
        self.handles = []
        self.watch = Stopwatch()

    def run(self, target, payload, on_message):
        """See Runner."""
        assert target == PROBE
        self.begun.append((payload["root"], self.watch.seconds))
        handle = self._runner.run(target, payload, on_message)
        self.handles.append((payload["root"], handle))
        return handle


@pytest.fixture
def make(open_hub):
    """Return a function that builds the service with agents, as another process does, over one database."""

    def make(agents, endpoints=(), environ=(), allowed=()):
        config = {
            "ibm_mq_mft": {
                "coordination_qmgr": "QM1",
                "agents": {name: {"qmgr": "QM1", "root": root} for name, root in agents.items()},
            },
            "endpoints": dict(endpoints),
            "allowed_folders": list(allowed),
        }
        return open_hub(config, environ)

    return make


@pytest.fixture
def probe(runner):
    """Return a function that runs the prober of a service until the test ends, or until what it returns is set."""
    with contextlib.ExitStack() as stack:

        def probe(hub, used=runner, **options):
            stop = threading.Event()
            prober = Prober(
                hub.service.database, hub.service.follower, used, **{"every": 0.5, "longest": 2.0, **options}
            )
            thread = threading.Thread(target=prober.run, args=(stop,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(stop.set)
            return stop

        yield probe


def states(hub):
    """Return the states of all agents."""
    return {one["name"]: one["state"] for one in hub.agents().json["agent"]}


def details(hub):
    """Return the details of all agents."""
    with hub.service.database.read() as connection:
        return dict(connection.exec_driver_sql("SELECT name, detail FROM agent").all())


def over_ssh(sshd, folder, **changes):
    """Return an endpoint of the section `endpoints`, and the variables that it refers to."""
    given = {
        "url": f"sftp://{sshd.user}@127.0.0.1:{sshd.port}{folder}",
        "key": {"env": "KEY"},
        "host_key": sshd.host_keys["ed25519"],
    }
    return {**given, **changes}


def test_184_each_state_of_a_folder_and_of_an_sftp_server_by_its_cause(make, probe, sshd, tmp_path):
    """Item 184: what answers is ready; what answers and cannot be read is a problem; what does not is unreachable."""
    for name in ("quay", "far"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one").write_bytes(b"1")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("quay")
    endpoints = {
        "far": over_ssh(sshd, f"{tmp_path}/far"),
        "gone": over_ssh(sshd, f"{tmp_path}/gone"),
        "stranger": over_ssh(sshd, f"{tmp_path}/far", host_key=f"SHA256:{'A' * 43}"),
        "nobody": over_ssh(sshd, f"{tmp_path}/far", url=f"sftp://no-such-user@127.0.0.1:{sshd.port}/"),
        "off": over_ssh(sshd, "/", url=f"sftp://{sshd.user}@127.0.0.1:{free_port()}/"),
    }
    wanted = {
        "QUAY": ("file:quay", "ready", ""),
        "MISSING": ("file:missing", "problem", "does not exist"),
        "FILE": ("file:file", "problem", "in the way"),
        "LINK": ("file:link", "problem", "link"),
        "STORE": ("filestore:/in", "unreachable", "no"),
        "FAR": ("endpoint:far", "ready", ""),
        "GONE": ("endpoint:gone", "problem", "does not exist"),
        "STRANGER": ("endpoint:stranger", "unreachable", "host key"),
        "NOBODY": ("endpoint:nobody", "problem", ""),
        "OFF": ("endpoint:off", "unreachable", ""),
    }
    roots = {name: root for name, (root, _, _) in wanted.items()}
    hub = make(roots, endpoints, {"KEY": sshd.key})
    assert set(states(hub).values()) == {"starting"}
    probe(hub, longest=20.0)
    expected = {name: state for name, (_, state, _) in wanted.items()}
    wait_until(lambda: states(hub) == expected, what="the states by their causes")
    found = details(hub)
    for name, (_, state, part) in wanted.items():
        assert part in found[name], found
        assert (found[name] == "") == (state == "ready"), found


def test_184_each_state_of_a_bucket_by_its_cause(make, probe, tmp_path_factory):
    """Item 184: a bucket that is there, one that is not, and a service that is away."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    try:
        access = {"key_id": {"env": "ID"}, "secret": {"env": "SECRET"}}
        at = {**access, "endpoint": server.url}
        endpoints = {
            "there": {"url": f"s3://{server.bucket()}/in", **at},
            "missing": {"url": "s3://no-such-bucket/in", **at},
            "off": {"url": "s3://bucket/in", **access, "endpoint": f"http://127.0.0.1:{free_port()}"},
        }
        hub = make(
            {name.upper(): f"endpoint:{name}" for name in endpoints}, endpoints, {"ID": KEY_ID, "SECRET": SECRET}
        )
        probe(hub, longest=60.0)
        wait_until(lambda: states(hub) == {"THERE": "ready", "MISSING": "problem", "OFF": "unreachable"}, within=60)
    finally:
        server.program.kill()


def test_184_a_state_follows_its_cause(make, probe, tmp_path):
    """Item 184: a folder that comes and goes is ready and a problem in turn."""
    hub = make({"QUAY": "file:quay"})
    probe(hub)
    for _ in range(2):
        wait_until(lambda: states(hub) == {"QUAY": "problem"})
        (tmp_path / "quay").mkdir()
        wait_until(lambda: states(hub) == {"QUAY": "ready"})
        (tmp_path / "quay").rmdir()


def test_184_a_folder_in_which_files_cannot_be_made_is_a_problem(tmp_path):
    """Item 184: it can be listed, and nothing can be written; asked without the rights of root."""
    (tmp_path / "quay").mkdir()
    (tmp_path / "quay").chmod(0o555)
    code = (
        "import sys\nfrom pathlib import Path\nfrom mft_common.endpoints.folders import LocalFolders\n"
        "from mft_common.endpoints.registry import Endpoints\nfrom mqmft_svc.operations.agent_child import probe\n"
        "endpoints = Endpoints(folders=LocalFolders(Path(sys.argv[1]))).to_json()\n"
        "print(probe(None, {'root': 'file:quay', 'endpoints': endpoints})['finding'])"
    )
    plain = [program(["setpriv"], "util-linux"), "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = [*plain, sys.executable, "-c", code, str(tmp_path)]

    def finding():
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert finding() == "problem\n"
    (tmp_path / "quay").chmod(0o755)
    assert finding() == "ready\n"


def test_184_endpoints_that_hang_delay_no_other(make, probe, runner, tmp_path):
    """Item 184: a dozen servers that accept and never answer are unreachable, and a folder is probed in time."""
    peer = Peer()
    try:
        (tmp_path / "quay").mkdir()
        url = f"ftp://user@127.0.0.1:{peer.port}/in"
        endpoints = {f"hangs{n}": {"url": url, "password": {"env": "PASSWORD"}, "timeouts": PATIENT} for n in range(12)}
        roots = {f"HANGS{n}": f"endpoint:hangs{n}" for n in range(12)}
        hub = make({**roots, "QUAY": "file:quay"}, endpoints, {"PASSWORD": PASSWORD})
        used = Recorded(runner)
        probe(hub, used, every=0.5, longest=3.0)
        expected = {**dict.fromkeys(roots, "unreachable"), "QUAY": "ready"}
        wait_until(lambda: states(hub) == expected, within=60)
        assert "3 s" in details(hub)["HANGS0"]
        # All twelve are due again and again; the folder waits for none of them.
        since = used.watch.seconds

        def probes():
            return [at for root, at in used.begun if root == "file:quay" and at > since]

        wait_until(lambda: len(probes()) >= 5, within=60)
        assert max(later - earlier for earlier, later in itertools.pairwise(probes())) < 2.9
    finally:
        peer.close()


def test_184_a_probe_whose_process_does_not_end_is_joined_by_no_other(make, probe, runner, tmp_path):
    """As one that waits for a disk that is gone: the agent is unreachable, and the others are probed on."""
    peer = Peer()
    try:
        (tmp_path / "quay").mkdir()
        hangs = {"url": f"ftp://user@127.0.0.1:{peer.port}/in", "password": {"env": "PASSWORD"}, "timeouts": PATIENT}
        hub = make({"HANGS": "endpoint:hangs", "QUAY": "file:quay"}, {"hangs": hangs}, environ={"PASSWORD": PASSWORD})
        used = Recorded(runner)
        probe(hub, used, every=0.2, longest=3.0)
        (handle,) = wait_until(lambda: [one for root, one in used.handles if root == "endpoint:hangs" and one.pid])
        with unkillable(handle.pid):
            wait_until(lambda: states(hub) == {"HANGS": "unreachable", "QUAY": "ready"})
            count = len(used.begun)
            wait_until(lambda: len(used.begun) >= count + 5)
            assert [root for root, _ in used.begun].count("endpoint:hangs") == 1
        wait_until(lambda: [root for root, _ in used.begun].count("endpoint:hangs") == 2)
    finally:
        peer.close()


def test_184_of_two_workers_one_probes_and_the_other_takes_over(make, probe, runner, tmp_path):
    """Item 184: while one owns the lease the other begins nothing; it goes on when the first one ends."""
    (tmp_path / "quay").mkdir()
    agents = {"QUAY": "file:quay"}
    one, other = Recorded(runner), Recorded(runner)
    first = probe(make(agents), one)
    wait_until(lambda: len(one.begun) >= 2)
    probe(make(agents), other)
    wait_until(lambda: len(one.begun) >= 6)
    assert other.begun == []
    first.set()
    wait_until(lambda: other.begun)
    count = len(one.begun)
    wait_until(lambda: len(other.begun) >= 3)
    assert len(one.begun) == count


def test_184_a_worker_that_lost_its_lease_stores_nothing(make, probe, runner, tmp_path):
    """Item 184: the finding of a worker that was frozen for too long is not stored over that of its successor."""
    hub = make({"QUAY": "file:quay"})
    used = Recorded(runner)
    probe(hub, used)
    wait_until(lambda: states(hub) == {"QUAY": "problem"})
    with hub.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE leases SET until = 0")
        assert LEASES.claim(connection, "agents", "successor", 60.0) is not None
    count = len(used.begun)
    (tmp_path / "quay").mkdir()
    wait_until(lambda: _rests(used), what="a prober that has noticed")
    assert states(hub) == {"QUAY": "problem"}
    assert len(used.begun) <= count + 2


def _rests(used):
    """Return whether the last probe began so long ago that the next one was due several times."""
    return used.watch.seconds - used.begun[-1][1] > 2.0


def test_184_a_changed_agent_is_starting_until_it_is_probed(make, probe, tmp_path):
    """Items 184 and 6.4: `crossdock apply` reaches a worker that runs; a state holds for one definition only."""
    (tmp_path / "quay").mkdir()
    hub = make({"QUAY": "file:quay", "GOES": "file:quay"})
    stop = probe(hub)
    wait_until(lambda: states(hub) == {"QUAY": "ready", "GOES": "ready"})
    stop.set()
    applied = make({"QUAY": "file:elsewhere", "NEW": "file:quay"})
    assert states(applied) == {"QUAY": "starting", "NEW": "starting"}
    probe(hub)
    wait_until(lambda: states(applied) == {"QUAY": "problem", "NEW": "ready"})
    assert details(applied).keys() == {"QUAY", "NEW"}


def test_the_same_configuration_again_keeps_what_is_known(make, probe, tmp_path):
    """A process that starts with the agents that are known already forgets no finding."""
    (tmp_path / "quay").mkdir()
    hub = make({"QUAY": "file:quay"})
    probe(hub)
    wait_until(lambda: states(hub) == {"QUAY": "ready"})
    assert states(make({"QUAY": "file:quay"})) == {"QUAY": "ready"}


def test_a_probe_whose_process_fails_stores_nothing_and_the_next_one_does(make, probe, runner, tmp_path, log):
    """A child that ends with an error is logged; the finding of the next one counts."""
    (tmp_path / "quay").mkdir()

    class FailingOnce:
        """A runner whose first child gets too little to work with."""

        def __init__(self):
            self.failed = False

        def run(self, target, payload, on_message):
            """See Runner."""
            given, self.failed = payload if self.failed else {}, True
            return runner.run(target, given, on_message)

    hub = make({"QUAY": "file:quay"})
    probe(hub, FailingOnce())
    wait_until(lambda: "probe.failed" in log.getvalue())
    assert states(hub) == {"QUAY": "starting"}
    wait_until(lambda: states(hub) == {"QUAY": "ready"})
