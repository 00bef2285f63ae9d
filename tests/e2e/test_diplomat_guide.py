"""Chapter 4 of the guide with `curl` alone, and sessions, against a hub that was started as its users start it."""

import subprocess
import threading
import xml.etree.ElementTree as ET
from urllib.parse import urlencode

import pytest
import yaml

from tests.servers.hub import crossdock
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until

LIMIT = 10
IDLE_S = 5
CONFIGURATION = {
    "accounts": {
        "Administrator": {
            "password": {"file": "password"},
            "grants": {"diplomat": {"role": "Administrator", "transactions": ["*"]}},
        }
    },
    "transactions": [
        {
            "name": "slow",
            "direction": "outbound",
            "api_allowed": True,
            "source": {"url": "file:from", "files": ["*"]},
            "destination": {"url": "file:to"},
            "bandwidth": "20KiB/s",
        }
    ],
}


class Curl:
    """A client that is `curl` with a jar for its cookies; `method` sends the pairs in the query of a GET or a POST."""

    def __init__(self, hub, jar, method="GET"):
        self.url, self.jar, self.method = f"{hub.url}/diplomat/APIRequest", jar, method

    def ask(self, query):
        """Send a query as it stands here; return the status and the root of the body."""
        command = ["curl", "-sS", "-X", self.method, "-b", self.jar, "-c", self.jar, "-w", "%{http_code}"]
        done = subprocess.run([*command, f"{self.url}?{query}"], capture_output=True, check=True, timeout=30)
        root = ET.fromstring(done.stdout[:-3])
        status = int(done.stdout[-3:])
        assert root.findtext("statusCode") == str(status)
        return status, root

    def connect(self, password="diplomat123", **more):
        """Open a session; the jar keeps its cookie."""
        pairs = {"userID": "Jim.Smith", "userName": "Administrator", "password": password, **more}
        return self.ask(urlencode({"requestType": "connect", **pairs}))


@pytest.fixture
def client(tmp_path):
    """Return a function that makes clients, each with a jar of its own."""
    made = []

    def make(hub, method="GET"):
        made.append(tmp_path / f"jar{len(made)}")
        return Curl(hub, made[-1], method)

    return make


@pytest.fixture
def configured(start, tmp_path):
    """Return a function that starts a hub with some options of `diplomat`, and applies others later."""
    password = secret("password-of-the-guide")
    (tmp_path / "password").write_text(password)
    (tmp_path / "data/from").mkdir(parents=True)
    (tmp_path / "data/from/a.bin").write_bytes(bytes(1 << 20))

    def write(**diplomat):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({**CONFIGURATION, "diplomat": diplomat}))

    def begin(**diplomat):
        write(**diplomat)
        return start("--config", str(tmp_path / "own.yaml"), demo=False), password

    return begin


def finished(client, since):
    """Poll with `since` until the job of the only transaction that changed is over; return its record."""

    def over():
        status, root = client.ask(f"requestType=transactionStatuses&since={since}")
        assert status == 200
        job = root.find("transactionStatus/jobHistory")
        return job if job is not None and job.findtext("status") == "Complete" else None

    return wait_until(over, within=30, every=0.05, what="the end of the job")


def test_chapter_4_with_curl_alone_1_2_4_5_6_17_22_30_33_34_37_59_80_a1(start, client, tmp_path):
    """Connect, run with two variables, poll until Complete, disconnect; the next call is 401; in all four ways."""
    hub = start()
    for method, bar in (("GET", "|"), ("GET", "%7C"), ("POST", "|"), ("POST", "%7C")):
        jim = client(hub, method)
        status, root = jim.ask("requestType=connect&userID=Jim.Smith&userName=Administrator&password=diplomat123")
        assert (status, root.get("responseType")) == (200, "connectResponse")
        assert [root.findtext(f"diplomatUser/{name}") for name in ("domain", "userID")] == ["", ""]
        assert "JSESSIONID" in jim.jar.read_text()
        run = f"requestType=runNow&transactionName=outboundSample&var=filename{bar}301&var=ext{bar}txt"
        status, root = jim.ask(run)
        assert (status, root.get("responseType")) == (200, "runNowResponse")
        assert [child.tag for child in root] == ["statusCode", "scheduledTime"]
        scheduled = root.findtext("scheduledTime")
        job = finished(jim, scheduled)
        assert (job.findtext("startTime"), job.findtext("completionStatus")) == (scheduled, "Successful")
        partner = tmp_path / "data/demo/partner/301.txt"
        assert partner.read_bytes() == (tmp_path / "data/demo/outbox/301.txt").read_bytes()
        partner.unlink()
        status, root = jim.ask("requestType=disconnect")
        assert (status, root.get("responseType"), [child.tag for child in root]) == (200, "okResponse", ["statusCode"])
        status, root = jim.ask("requestType=transactionStatuses")
        assert (status, root.get("responseType")) == (401, "errorResponse")
    assert hub.stop() == 0
    assert "diplomat123" not in hub.log()


def test_every_other_request_with_curl_43_46_51_54_57_a1(start, client):
    """Summary, histories, and a log by view, buffer and removal, from two clients of one account."""
    hub = start()
    one, two = client(hub), client(hub, "POST")
    assert [each.connect()[0] for each in (one, two)] == [200, 200]
    _, root = one.ask("requestType=runNow&transactionID=1&var=filename|301&var=ext|txt")
    sequence = finished(two, root.findtext("scheduledTime")).findtext("sequence")
    assert "301.txt" in two.ask("requestType=summary&transactionName=outboundSample")[1].findtext("summary")
    _, root = two.ask("requestType=jobHistories&transactionID=1&transactionName=neverRunSample")
    names = [
        (block.findtext("transactionName"), len(block.findall("jobHistory"))) for block in root.iter("jobHistories")
    ]
    assert names == [("outboundSample", 1), ("neverRunSample", 0)]
    view = two.ask(f"requestType=logView&transactionName=outboundSample&sequence={sequence}")[1].findtext("id")
    _, root = two.ask(f"requestType=logBuffer&logViewID={view}&lineNum=0")
    lines = [line.text for line in root.iter("line")]
    assert lines[0].startswith(">Informational ")
    assert any("[Jim.Smith]" in line for line in lines)
    assert one.ask(f"requestType=logBuffer&logViewID={view}&lineNum=0")[0] == 400, "a view is its session's (A55)"
    assert two.ask(f"requestType=removeLogView&logViewID={view}")[0] == 200
    assert two.ask(f"requestType=logBuffer&logViewID={view}&lineNum=0")[0] == 400
    assert one.ask("requestType=disconnect")[0] == 200
    assert two.ask("requestType=transactionStatuses")[0] == 200, "the other session of the account goes on"


def test_eleven_sessions_of_one_account_26_27_a10_a11_a23(start, client):
    """The eleventh gets the list, oldest first; one of two that evict the same client at once gets its place."""
    hub = start()
    clients = [client(hub) for _ in range(LIMIT)]
    assert [each.connect(userID=f"client{place}")[0] for place, each in enumerate(clients)] == [200] * LIMIT
    late = [client(hub), client(hub, "POST")]
    assert late[0].connect(password="wrong")[0] == 401
    status, root = late[0].connect()
    assert (status, root.findtext("maxConnections"), root.find("diplomatUser")) == (409, "true", None)
    listed = [one.findtext("sessionUserID") for one in root.iter("diplomatConnection")]
    assert listed == [f"client{place}" for place in range(LIMIT)]
    assert {one.findtext("sessionIpaddress") for one in root.iter("diplomatConnection")} == {"127.0.0.1"}
    assert not late[0].jar.exists() or "JSESSIONID" not in late[0].jar.read_text()
    third = root.findall("diplomatConnection")[3].findtext("connectionID")
    answers = []
    threads = [
        threading.Thread(target=lambda each=each: answers.append(each.connect(disconnect=third)[0])) for each in late
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]
    asked = [each.ask("requestType=transactionStatuses")[0] for each in clients]
    assert asked == [200] * 3 + [401] + [200] * (LIMIT - 4)
    assert clients[0].ask("requestType=disconnect")[0] == 200
    assert client(hub).connect()[0] == 200, "a place that was given back is free"


def test_an_idle_session_ends_and_a_polling_one_stays_while_its_job_goes_on_18_20_a23(configured, client):
    """After the idle time without a request the session is 401 and holds no place; polling keeps another alive."""
    hub, password = configured(sessions={"limit": 2, "idle": f"{IDLE_S}s"})
    idle, polling, third = client(hub), client(hub), client(hub)
    assert [each.connect(password)[0] for each in (idle, polling, third)] == [200, 200, 409]
    assert idle.ask("requestType=runNow&transactionName=slow")[0] == 200

    def admitted():
        assert polling.ask("requestType=transactionStatuses")[0] == 200
        return third.connect(password)[0] == 200

    wait_until(admitted, every=0.2, what="the place of the idle session")
    assert idle.ask("requestType=transactionStatuses")[0] == 401
    _, root = polling.ask("requestType=transactionStatuses")
    assert root.findtext("transactionStatus/jobHistory/status") == "Running", "jobs belong to no session (20)"
    assert [each.ask("requestType=disconnect")[0] for each in (polling, third)] == [200, 200]
    assert idle.connect(password)[0] == 200
    _, root = idle.ask("requestType=transactionStatuses")
    assert root.findtext("transactionStatus/jobHistory/status") == "Running"


def test_the_sessions_of_an_account_that_changed_end_at_once_a24(configured, client, tmp_path):
    """Once another password, an account without the grant, or no account is applied, the cookie opens nothing."""
    hub, password = configured()
    following = secret("the-next-password-of-the-guide")
    document = yaml.safe_load((tmp_path / "own.yaml").read_text())
    account = document["accounts"]["Administrator"]
    jim = client(hub)

    def apply(accounts, text):
        (tmp_path / "password").write_text(text)
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({**document, "accounts": accounts}))
        applied = crossdock("apply", "own.yaml", "--data", tmp_path / "data", cwd=tmp_path)
        assert applied.returncode == 0, applied.stderr

    for accounts, text in (
        ({"Administrator": account}, following),
        ({"Administrator": {**account, "grants": {}}}, password),
        ({"other": account}, password),
    ):
        assert jim.connect(password)[0] == 200
        apply(accounts, text)
        assert jim.ask("requestType=transactionStatuses")[0] == 401
        assert jim.connect(password)[0] == 401
        apply({"Administrator": account}, password)


def test_a_summary_tells_when_the_hub_was_started_45(configured, client, tmp_path):
    """Every web process tells the same time, also those that replace the first ones when a configuration is applied."""
    hub, password = configured()
    jim = client(hub)
    assert jim.connect(password)[0] == 200
    assert jim.ask("requestType=runNow&transactionName=slow")[0] == 200

    def told():
        _, root = jim.ask("requestType=summary&transactionName=slow")
        return next(line for line in root.findtext("summary").splitlines() if line.startswith("Server: "))

    first = told()
    for bandwidth in ("21KiB/s", "22KiB/s"):
        document = yaml.safe_load((tmp_path / "own.yaml").read_text())
        document["transactions"][0]["bandwidth"] = bandwidth
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(document))
        applied = crossdock("apply", "own.yaml", "--data", tmp_path / "data", cwd=tmp_path)
        assert applied.returncode == 0, applied.stderr
        assert {told() for _ in range(20)} == {first}
