"""One file, one job, four protocols: the hub from outside, in both shapes."""

import hashlib
import socket

import requests

from tests.e2e.clients import DataProtector, Diplomat, HttpMft, IbmMq
from tests.servers.processes import wait_until

FINAL = {"successful", "failed", "partiallySuccessful", "cancelled"}


def newest(mq, known, **wanted):
    """Return the transfers that are new since `known` and have ended with these agents."""
    found = [one for one in mq.transfers() if one["id"] not in known and one["status"]["state"] in FINAL]
    return [one for one in found if one["sourceAgent"]["name"] == wanted["source"]]


def test_an_upload_is_a_transfer_within_a_second(hub):
    """A file that goes in by HTTP MFT is seen by IBM's API at once, with its size, state and originator."""
    mq = IbmMq(hub.url)
    known = {one["id"] for one in mq.transfers()}
    client = HttpMft(hub.url)
    assert client.put("in/x", b"hello dock").status_code == 201
    seen = wait_until(lambda: newest(mq, known, source="CLIENT"), within=1.0, every=0.01, what="the upload's record")
    assert len(seen) == 1
    assert seen[0]["destinationAgent"] == {"name": "FILESTORE"}
    assert seen[0]["originator"] == {"host": hub.seen_as, "userId": "part1"}
    assert seen[0]["status"] == {"state": "successful"}
    assert seen[0]["statistics"]["numberOfFiles"] == seen[0]["statistics"]["numberOfFileSuccesses"] == 1
    (item,) = mq.items(seen[0]["id"])
    assert (item["destination"]["file"]["path"], item["destination"]["file"]["size"]) == ("/in/x", 10)
    assert item["destination"]["checksum"]["value"] == hashlib.sha256(b"hello dock").hexdigest().upper()
    assert client.get("in/x").content == b"hello dock"


def test_a_job_is_a_transfer_within_a_second(hub):
    """A Diplomat job delivers its file, reports its end, and is in the record."""
    mq = IbmMq(hub.url)
    known = {one["id"] for one in mq.transfers()}
    client = Diplomat(hub.url)
    scheduled = client.run("outboundSample", filename="301", ext="txt")
    wait_until(lambda: client.job("outboundSample") == (scheduled, "Complete", "Successful"), what="the job's end")
    seen = wait_until(lambda: newest(mq, known, source="DIPLOMAT"), within=1.0, every=0.01, what="the job's record")
    assert len(seen) == 1
    assert seen[0]["originator"]["userId"] == "Administrator"
    assert seen[0]["status"] == {"state": "successful"}
    content = hub.read("demo/outbox/301.txt")
    assert hub.read("demo/partner/301.txt") == content
    (item,) = mq.items(seen[0]["id"])
    assert [item[side]["file"]["size"] for side in ("source", "destination")] == [len(content)] * 2
    assert item["destination"]["checksum"]["value"] == hashlib.sha256(content).hexdigest().upper()


def test_a_file_of_one_protocol_is_moved_by_another(hub):
    """A Diplomat job fetches a file that was uploaded to /in, and then deletes it there."""
    client, diplomat = HttpMft(hub.url), Diplomat(hub.url)
    for name in client.names("in"):
        client.delete(f"in/{name}")
    content = bytes(range(256)) * 1000
    assert client.put("in/cargo.bin", content).status_code == 201
    scheduled = diplomat.run("inboundSample")
    wait_until(lambda: diplomat.job("inboundSample") == (scheduled, "Complete", "Successful"), what="the job's end")
    assert hub.read("demo/received/cargo.bin") == content
    assert client.names("in") == []


def test_data_protector_sessions_open_with_and_without_prompts(hub):
    """A trusted account gets its session at once, another one after its answers; both end when closed."""
    api = DataProtector(hub.url)
    status, (session,) = api.call("hostOpenSession", "operator")
    assert status == 1
    status, results = api.call("agentGetStatus", session=session)
    assert (status, results[:2]) == (1, ["Active", "Crossdock"])
    assert api.call("hostCloseSession", session) == (1, [])
    assert api.call("agentGetStatus", session=session) == (3, [])
    assert api.call("hostOpenSession", "auditor") == (2, ["Port of registry?", "Berth number?"])
    status, (session,) = api.call("hostOpenSession", "auditor", "Rotterdam", "7")
    assert status == 1
    assert api.call("agentPing") == (1, [])


def test_a_closed_diplomat_session_opens_nothing(hub):
    """After disconnect the cookie opens nothing."""
    client = Diplomat(hub.url)
    assert client.call("disconnect").status_code == 200
    assert client.call("transactionStatuses").status_code == 401


def test_no_request_reaches_what_is_the_hubs_own(hub):
    """The internal interfaces cannot be reached from outside, and an identity that a client sends is dropped."""
    for path in ("/internal/v1/directory/ping", "/internal/v1/files/in/x", "/2.0/../internal/v1/files/in/x"):
        answer = requests.post(f"{hub.url}{path}", headers={"X-Crossdock-Identity": "forged"}, json={}, timeout=10)
        assert answer.status_code in {401, 403, 404, 405}


def test_what_is_no_http_gets_one_answer_and_no_stack_trace(hub):
    """Garbage on the socket is refused, and the hub goes on."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01 garbage\r\n\r\n")
        answer = raw.recv(65536)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert requests.get(f"{hub.url}/healthz", timeout=10).status_code == 200


def test_no_password_is_in_any_log(hub):
    """No password that was sent so far is in the output of the hub."""
    HttpMft(hub.url)
    Diplomat(hub.url)
    written = hub.log()
    assert written
    for secret in ("partner1", "diplomat123", "Rotterdam"):
        assert secret not in written


def test_the_agents_of_the_demo_are_ready(hub):
    """The worker probes them, and every version of IBM's API shows what it found."""
    mq = IbmMq(hub.url)
    ready = [{"name": name, "type": "standard", "state": "ready"} for name in ("AGENT1", "AGENT2")]
    wait_until(lambda: mq.agents() == ready, what="agents that are ready")
