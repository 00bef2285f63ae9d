"""`crossdock up` and its sister commands: flags, output, refusals, and the state after a restart."""

import re
import signal
import socket
import subprocess

import pytest
import requests
import yaml

from tests.e2e.clients import DataProtector, HttpMft, IbmMq
from tests.e2e.configurations import BROKEN, OWN
from tests.servers.hub import crossdock
from tests.servers.processes import free_port, wait_until


def banner(hub):
    """Return the output of a hub that is ready."""
    wait_until(lambda: "listens" in hub.program.log.read_text(), what="the banner")
    return hub.program.log.read_text()


def test_the_printed_commands_work_when_pasted(start, tmp_path):
    """One line a protocol, each of which does what it says in a shell."""
    hub = start()
    wait_until(lambda: "dataprotector" in banner(hub), what="all of the banner")
    lines = re.findall(r"^  (curl .*)$", banner(hub), flags=re.MULTILINE)
    assert len(lines) == 4
    outs = []
    for line in lines:
        pasted = ["bash", "-c", line.replace("/tmp/", f"{tmp_path}/")]
        outs.append(subprocess.run(pasted, capture_output=True, timeout=60, check=True).stdout.decode())
    assert '"message":"Upload successful"' in outs[0]
    assert '"filename":"x"' in outs[0]
    assert "<transactionName>outboundSample</transactionName>" in outs[1]
    assert outs[2].startswith('{"transfer":')
    assert "<Status>1</Status>" in outs[3]


def test_the_banner_is_printed_behind_a_proxy_that_the_environment_names(start):
    """The hub asks itself whether it is ready, and a proxy is for other hosts."""
    hub = start(env={"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"})
    assert hub.url in banner(hub)


def test_a_second_start_goes_on_where_the_first_was(start):
    """Files, accounts, sessions and the record of transfers are there again."""
    hub = start()
    client = HttpMft(hub.url)
    assert client.put("in/kept.txt", b"kept").status_code == 201
    _, (session,) = DataProtector(hub.url).call("hostOpenSession", "operator")
    wait_until(lambda: len(IbmMq(hub.url).transfers()) == 1, what="the upload's record")
    assert hub.stop() == 0
    again = start()
    client.url = again.url
    assert client.get("in/kept.txt").content == b"kept"
    assert DataProtector(again.url).call("agentGetStatus", session=session)[0] == 1
    assert "kept.txt" in client.names("in")
    wait_until(lambda: len(IbmMq(again.url).transfers()) == 2, what="both records")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(start, how):
    """Both signals end every process with exit code 0."""
    hub = start()
    hub.program.send(how)
    assert hub.program.wait() == 0


def test_https_is_served_beside_http_with_a_certificate_of_its_own(start, tmp_path):
    """The certificate is made once, its key is the owner's alone, and it names this machine."""
    port = free_port()
    hub = start("--https-port", str(port))
    folder = tmp_path / "data/state/gateway"
    assert (folder / "tls.key").stat().st_mode & 0o777 == 0o600
    made = (folder / "tls.crt").read_bytes()
    answer = requests.get(f"https://localhost:{port}/healthz", verify=str(folder / "tls.crt"), timeout=10)
    assert answer.status_code == 200
    login = requests.post(
        f"https://localhost:{port}/ibmmq/rest/v2/login",
        json={"username": "mftadmin", "password": "mftadmin"},
        verify=str(folder / "tls.crt"),
        timeout=20,
    )
    assert "Secure" in login.headers["Set-Cookie"]
    form = {"username": "part1", "password": "partner1"}
    plain = requests.post(f"{hub.url}/2.0/login/basic", data=form, timeout=20)
    assert "Secure" not in plain.headers["Set-Cookie"]
    secure = requests.post(
        f"https://localhost:{port}/2.0/login/basic", data=form, verify=str(folder / "tls.crt"), timeout=20
    )
    assert secure.headers["Set-Cookie"].count(";HttpOnly;Secure") == 2
    assert hub.stop() == 0
    start("--https-port", str(port))
    assert (folder / "tls.crt").read_bytes() == made


def test_a_second_hub_on_the_same_data_is_refused(start, tmp_path):
    """The second one refuses to start: two hubs would write to the same databases."""
    start()
    done = crossdock("up", "--demo", "--port", free_port(), "--data", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 2
    assert "another hub runs" in done.stderr


def test_the_demo_listens_on_loopback_alone(tmp_path):
    """Published passwords are never served to a network."""
    done = crossdock("up", "--demo", "--host", "0.0.0.0", "--port", free_port(), cwd=tmp_path)
    assert done.returncode == 2
    assert "loopback" in done.stderr
    assert not (tmp_path / "data").exists()


def test_switched_off_security_listens_on_loopback_alone(tmp_path):
    """Without passwords the hub refuses every other address."""
    arguments = ("up", "--host", "0.0.0.0", "--port", free_port())
    done = crossdock(*arguments, cwd=tmp_path, MQMFT_SECURITY="off")
    assert done.returncode == 2
    assert "MQMFT_SECURITY" in done.stderr


def test_a_port_in_use_is_named_before_anything_starts(tmp_path):
    """The message names the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = crossdock("up", "--demo", "--port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert str(port) in done.stderr


def test_every_problem_of_a_configuration_is_named_by_its_path(tmp_path):
    """The problems of every section are listed at once, and no secret is printed."""
    (tmp_path / "crossdock.yaml").write_text(yaml.safe_dump(BROKEN))
    done = crossdock("up", "--port", free_port(), cwd=tmp_path)
    assert done.returncode == 2
    for path in (
        "accounts.CLIENT",
        "accounts.part1.password",
        "http_mft.folders",
        "transactions",
        "data_protector.folders",
    ):
        assert path in done.stderr, path
    assert "ibm_mq_mft.agents" in done.stderr
    assert "in clear" not in done.stderr.replace("never in clear", "").replace("secrets in clear", "")
    checked = crossdock("check", "crossdock.yaml", cwd=tmp_path)
    assert checked.returncode == 2
    assert set(checked.stderr.splitlines()) == set(done.stderr.splitlines())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crossdock.yaml", "data"]


def test_a_configuration_without_problems_is_fine(tmp_path):
    """The check makes and opens nothing."""
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(OWN))
    done = crossdock("check", "own.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "own.yaml: fine\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.yaml", "secret"]


def test_names_that_another_section_does_not_have_are_problems(tmp_path):
    """A misspelt account or folder would be a right or a job that never works."""
    ends = {"source": {"url": "filestore:/nope", "files": ["*"]}, "destination": {"url": "file:out"}}
    wrong = {
        "http_mft": {"contracts": {"std": {}}, "folders": {"/dock": {"access": {"alise": ["list"]}}}},
        "transactions": [{"name": "x", "direction": "inbound", **ends}],
        "ibm_mq_mft": {"agents": {"A": {"qmgr": "QM1", "root": "filestore:/nor"}}},
        "diplomat": [],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(wrong))
    assert "diplomat: is a mapping" in crossdock("check", "own.yaml", cwd=tmp_path).stderr
    del wrong["diplomat"]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(wrong))
    said = crossdock("check", "own.yaml", cwd=tmp_path).stderr
    assert "http_mft.folders./dock.access.alise: no such account" in said
    assert "transactions.0.source.url: http_mft.folders has no /nope" in said
    assert "ibm_mq_mft.agents.A.root: http_mft.folders has no /nor" in said


def test_accounts_of_the_demo_do_not_survive_it(start):
    """A hub without a configuration refuses the demo's accounts, also on the demo's data."""
    hub = start()
    HttpMft(hub.url)
    assert hub.stop() == 0
    own = start(demo=False)
    wrong = requests.post(f"{own.url}/2.0/login/basic", data={"username": "part1", "password": "partner1"}, timeout=20)
    assert wrong.status_code == 401


def test_the_state_folder_is_readable_by_its_owner_alone(start, tmp_path):
    """Other users of the machine cannot read password hashes or keys."""
    start()
    assert (tmp_path / "data/state").stat().st_mode & 0o777 == 0o700


def test_a_closed_terminal_stops_the_hub(start):
    """SIGHUP to the whole group ends it cleanly, as closing its terminal does."""
    hub = start()
    hub.program.send_to_all(signal.SIGHUP)
    assert hub.program.wait() == 0


def test_mistakes_of_the_operator_are_named_in_one_line(tmp_path):
    """An unknown log level, a folder that cannot be made, a certificate without its key: one line, no stack trace."""
    (tmp_path / "file").write_text("")
    port = ("up", "--port", free_port())
    for done, word in (
        (crossdock(*port, cwd=tmp_path, MFT_LOG_LEVEL="chatty"), "MFT_LOG_LEVEL"),
        (crossdock(*port, "--data", tmp_path / "file/below", cwd=tmp_path), "file"),
        (crossdock(*port, cwd=tmp_path, GATEWAY_DATABASE_URL="sqlite://"), "needs a file"),
        (crossdock(*port, "--https-port", "0", cwd=tmp_path, MFT_TLS_CERT="file", MFT_TLS_KEY="file"), "MFT_TLS_CERT"),
        (crossdock("deadletter", "list", "--data", tmp_path / "nothing", cwd=tmp_path), "no hub's data"),
    ):
        assert done.returncode == 2
        assert word in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "nothing").exists()


def test_an_own_configuration_is_served(start, tmp_path):
    """Accounts and folders come from the file, and nothing of the demo is there."""
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(OWN))
    hub = start("--config", str(tmp_path / "own.yaml"), demo=False)
    client = HttpMft(hub.url, "ada", "s3cret")
    assert client.put("dock/a.txt", b"a").status_code == 201
    assert client.names("dock") == ["a.txt"]
    assert client.get("dock/a.txt").status_code == 403
    wrong = requests.post(f"{hub.url}/2.0/login/basic", data={"username": "part1", "password": "partner1"}, timeout=20)
    assert wrong.status_code == 401


def test_a_worker_that_dies_is_started_again(start):
    """The hub goes on, and has a worker again soon after."""
    hub = start()
    children = hub.program.children()
    hub.program.kill_one(children[-1])
    wait_until(lambda: set(hub.program.children()) - set(children), what="another worker")
    assert HttpMft(hub.url).put("in/after.txt", b"after").status_code == 201
    wait_until(lambda: IbmMq(hub.url).transfers(), what="its record")


def test_no_process_outlives_the_supervisor(start):
    """When the supervisor is killed, all other processes end, and a new hub can start at once."""
    hub = start()
    hub.program.kill_one(hub.program.pid)
    wait_until(lambda: not hub.program.lives(), what="the end of all")
    assert HttpMft(start().url).put("in/next.txt", b"next").status_code == 201


def test_a_hub_whose_web_process_is_gone_ends_and_logs_it(start):
    """The hub ends with an exit code that a service manager sees."""
    hub = start()
    hub.program.kill_one(hub.program.children()[0])
    assert hub.program.wait() == 1
    assert "process.ended" in hub.log()


def test_dead_letters_can_be_listed_while_the_hub_runs(start, tmp_path):
    """There are none, and a service that handles no events is named as such."""
    start()
    done = crossdock("deadletter", "list", "--data", tmp_path / "data", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    done = crossdock("deadletter", "list", "gateway", "--data", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 2
    assert "mqmft-svc" in done.stderr


def test_nothing_is_written_outside_the_data_folder(start, tmp_path):
    """The folder that the hub was started in and the home folder stay as they were."""
    home = tmp_path / "home"
    home.mkdir()
    hub = start(env={"HOME": str(home), "TMPDIR": str(home)})
    HttpMft(hub.url).put("in/x", b"x" * 3_000_000)
    assert hub.stop() == 0
    assert list(home.iterdir()) == []


def test_figures_are_those_of_all_processes(start):
    """Requests that several web processes answered are counted together, at least as many as were sent."""
    hub = start("--workers", "3")
    for _ in range(60):
        requests.get(f"{hub.url}/2.0/directories/in", timeout=10)
    text = requests.get(f"{hub.url}/metrics", timeout=10).text
    counted = sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith("mft_requests_total") and 'service="gateway"' in line and 'protocol="http-mft"' in line
    )
    assert counted == 60
