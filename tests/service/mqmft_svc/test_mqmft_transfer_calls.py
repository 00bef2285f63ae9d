"""The calls of managed transfers, over both kinds of database and a real web server: items 173 and 232 to 234."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mft_common.events import LocalBus
from mqmft_svc.domain.calls import CallState
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import TRANSFER_CALL_WORKERS, managed
from tests.servers.dripping import Dripping
from tests.servers.made_secrets import secret
from tests.servers.processes import end, free_port, wait_until
from tests.service.mqmft_svc.managed_hub import CSRF, ended, files, row, running, stop, submit, whole, worker

ROOT = Path(__file__).parents[3]
CONFIG = {
    "ibm_mq_mft": {
        "coordination_qmgr": "QM1",
        "agents": {name.upper(): {"qmgr": "QM1", "root": f"file:{name}"} for name in ("quay", "yard")},
    }
}
ORDER = ["preSourceCall", "preDestinationCall", "postDestinationCall", "postSourceCall"]


@pytest.fixture
def environ(database_url):
    """The settings of web process and worker."""
    return {"MQMFT_DATABASE_URL": database_url, "MQMFT_CALL_HOSTS": "127.0.0.1"}


@pytest.fixture
def make(tmp_path, open_hub, runner, environ):
    """Return a function that builds the service as another process does."""
    for name, content in (("quay/a", b"content"), ("yard/there", b"")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)

    def make(**changes):
        return open_hub(CONFIG, runner=runner, **{**environ, **changes})

    return make


@pytest.fixture
def hub(make):
    """A hub with two agents, whose events become its record."""
    made = make()
    bus = LocalBus({"mqmft-svc": made.service.database})
    tasks = made.service.background_tasks(bus)
    with running([task for task in tasks if not task.name.endswith(("managed", "agents", "calls"))]):
        yield made


def call(server, path="/", **more):
    return {"type": "http", "url": f"{server.url}{path}", "retryWait": 0, **more}


def bodies(server):
    return [json.loads(body) for _, _, _, body in server.requests]


def refused(hub, **calls):
    """Submit a transfer that is refused, and return the id of the error and its message."""
    agents = {side: {"name": "QUAY", "qmgrName": "QM1"} for side in ("sourceAgent", "destinationAgent")}
    item = {"source": {"name": "a"}, "destination": {"name": "b"}}
    body = {**agents, "transferSet": {"item": [item], **calls}}
    answer = hub.mft(method="POST", json=body, headers=CSRF)
    assert answer.status_code == 400
    return answer.json["error"][0]["msgId"], answer.json["error"][0]["message"]


def test_232_234_the_calls_come_before_the_first_byte_and_after_the_last_item(hub, server, tmp_path):
    """Each body has the ids, the agents, the job and the items with their states; the transfer is successful."""
    server.gate.clear()
    server.answers = [(200, {}, b"welcome")]
    calls = {name: call(server, f"/{name}", headers={"X-Name": name}) for name in ORDER}
    items = [("a", "in/a"), ("missing", "b")]
    id_ = submit(hub, *items, userProperties={"order": "4711"}, **calls)
    with capture_logs() as lines, worker(hub):
        wait_until(lambda: server.requests)
        found = whole(hub, id_)
        assert (found["status"]["state"], found["transferSet"]["startTime"] != "") == ("started", False)
        assert files(tmp_path / "yard") == {"there": b""}
        server.gate.set()
        assert ended(hub, id_)["status"]["state"] == "partiallySuccessful"
    assert [path for _, path, _, _ in server.requests] == [f"/{name}" for name in ORDER]
    assert [headers["Idempotency-Key"] for _, _, headers, _ in server.requests] == [f"{id_}/{name}" for name in ORDER]
    assert [headers["X-Name"] for _, _, headers, _ in server.requests] == ORDER
    told = bodies(server)
    assert [body["call"] for body in told] == ORDER
    for body in told:
        assert (body["id"], body["userProperties"], body["job"]) == (id_, {"order": "4711"}, {"name": ""})
        assert body["sourceAgent"] == {"name": "QUAY", "qmgrName": "QM1"}
        assert body["numberOfItems"] == 2
    states = [[item["status"]["state"] for item in body["item"]] for body in told]
    assert states == [["started"] * 2] * 2 + [["successful", "failed"]] * 2
    assert told[3]["item"][0]["destination"] == {"type": "file", "name": "in/a"}
    assert told[3]["item"][1]["status"]["description"].startswith("BFGIO0001E: ")
    tried = [line for line in lines if line["event"] == "call.tried"]
    assert [(line["name"], line["transfer"], line["status"]) for line in tried] == [
        (name, id_, 200 if name == "preSourceCall" else 204) for name in ORDER
    ]
    assert tried[0]["received"] == "welcome"


def test_234_a_pre_call_that_fails_ends_the_transfer_before_anything_moves(hub, server, tmp_path):
    """The state is `failed`, the id that of an end before the first item; it was tried as often as it may be."""
    server.answers = [(503, {}, b"")] * 3
    id_ = submit(
        hub, ("a", "a", {"s_disposition": "delete"}), preSourceCall=call(server, retryCount=2),
        preDestinationCall=call(server), postSourceCall=call(server),
    )  # fmt: skip
    with worker(hub):
        found = ended(hub, id_)
    assert found["status"]["state"] == "failed"
    assert found["status"]["description"] == "BFGRP0037I: The preSourceCall failed: the receiver answered 503."
    assert (found["statistics"]["numberOfFiles"], found["statistics"]["numberOfFileFailures"]) == (1, 1)
    assert found["transferSet"]["bytesSent"] == 0
    assert (files(tmp_path / "quay"), files(tmp_path / "yard")) == ({"a": b"content"}, {"there": b""})
    assert len(server.requests) == 3


def test_234_a_post_call_that_fails_makes_it_partially_successful(hub, server, tmp_path):
    """Every item has arrived; the other post-call is made all the same."""
    server.answers = [(500, {}, b"")]
    id_ = submit(hub, ("a", "a"), postDestinationCall=call(server), postSourceCall=call(server))
    with worker(hub):
        found = ended(hub, id_)
    assert found["status"]["state"] == "partiallySuccessful"
    assert found["status"]["description"] == "BFGRP0033I: The postDestinationCall failed: the receiver answered 500."
    assert found["statistics"]["numberOfFileSuccesses"] == 1
    assert files(tmp_path / "yard")["a"] == b"content"
    assert len(server.requests) == 2


@pytest.mark.parametrize("codes", ["200-299,304", "500"])
def test_232_the_codes_of_success_are_those_of_the_request(hub, server, codes):
    """A call that is tried again until one of them comes is a success; post-calls need an item that arrived."""
    server.answers = [(404, {}, b""), (int(codes[-3:]), {}, b"")]
    pre = call(server, method="PUT", retryCount=1, successCodes=codes)
    id_ = submit(hub, ("missing", "a"), preDestinationCall=pre, postSourceCall=call(server))
    with worker(hub):
        assert ended(hub, id_)["status"]["description"][:10] == "BFGRP0034I"
    assert [method for method, *_ in server.requests] == ["PUT", "PUT"]


def test_233_a_host_that_is_not_listed_is_refused_at_post(make, server):
    """400 MQWB0971E that names the attribute and no URL; addresses of this machine need an entry of their own."""
    for hosts in ("", "partner.example,*.test", "*", f"127.0.0.1:{free_port()}", "localhost"):
        hub = make(MQMFT_CALL_HOSTS=hosts)
        msg_id, message = refused(hub, postSourceCall=call(server, "/token-8842"))
        assert msg_id == "MQWB0971E"
        assert "transferSet.postSourceCall.url" in message
        assert "token-8842" not in message
    metadata = {"type": "http", "url": "http://169.254.169.254/latest"}
    assert refused(hub, preSourceCall=metadata)[0] == "MQWB0971E"


@pytest.mark.parametrize(
    ("listed", "reason"),
    [("partner.example", "the host is not one that calls may reach"), ("*", "an address that may not be reached")],
)
def test_233_a_host_is_looked_at_again_when_the_call_is_made(make, hub, server, listed, reason):
    """The worker's list counts, and the address that the name has then: nothing is sent, and nothing moves."""
    hub.serve(make(MQMFT_CALL_HOSTS="localhost").service)
    url = f"http://localhost:{server.port}/"
    id_ = submit(hub, ("a", "a"), preSourceCall={"type": "http", "url": url, "retryCount": 9, "retryWait": 60})
    with worker(make(MQMFT_CALL_HOSTS=listed)):
        found = ended(hub, id_)
    assert found["status"]["state"] == "failed"
    assert reason in found["status"]["description"]
    assert server.requests == []


def test_233_a_redirect_is_a_failure_and_is_not_followed(hub, server):
    """The place that it names gets no request."""
    server.answers = [(302, {"Location": f"{server.url}/elsewhere"}, b"")]
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server))
    with worker(hub):
        assert "the receiver answered 302" in ended(hub, id_)["status"]["description"]
    assert [path for _, path, _, _ in server.requests] == ["/"]


def test_232_an_answer_that_drips_has_failed_when_its_time_is_over(hub):
    """Each byte comes well within a read's limit."""
    slow = Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    try:
        id_ = submit(
            hub, ("a", "a"), preSourceCall={"type": "http", "url": f"http://127.0.0.1:{slow.port}/", "timeout": 1}
        )
        with worker(hub):
            assert "the answer took too long" in ended(hub, id_, within=10)["status"]["description"]
    finally:
        slow.close()


def test_180_a_cancel_during_a_call_ends_the_transfer_within_5_s(hub, server, tmp_path):
    """The receiver does not answer; the state is `cancelled`, nothing has moved, and no further call is made."""
    server.gate.clear()
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server, timeout=600), postSourceCall=call(server))
    with worker(hub):
        wait_until(lambda: server.requests)
        stop(hub, id_)
        assert ended(hub, id_, within=5)["status"]["state"] == "cancelled"
        server.gate.set()
        wait_until(lambda: row(hub, id_).status == "over")
    assert files(tmp_path / "yard") == {"there": b""}
    assert len(server.requests) == 1


def test_180_a_cancel_between_two_tries_ends_the_transfer_at_once(hub, server):
    """The next try would come an hour later."""
    server.answers = [(500, {}, b"")]
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server, retryCount=1, retryWait=3600))
    with worker(hub):
        wait_until(lambda: json.loads(row(hub, id_).calls))
        stop(hub, id_)
        assert ended(hub, id_, within=5)["status"]["state"] == "cancelled"


def test_234_calls_that_are_over_are_not_made_again_by_the_next_worker(hub, server):
    """A transfer whose worker died after its first call goes on with the second."""
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server), preDestinationCall=call(server))
    over = json.dumps({"preSourceCall": CallState(tries=1, outcome="success").to_json()})
    with hub.service.database.write() as connection:
        assert store.give(connection, id_, "dead", 1)
        store.update(connection, id_, calls=over, receiver=server.url)
        assert TRANSFER_CALL_WORKERS.sign_in(connection, "dead", 0.2).owner == "dead"
    with worker(hub):
        assert ended(hub, id_)["status"]["state"] == "successful"
    assert [body["call"] for body in bodies(server)] == ["preDestinationCall"]


def test_234_a_call_is_made_again_after_kill_9_of_its_worker_with_the_same_id(hub, server, environ, tmp_path):
    """At least once: the receiver can tell by the header; the transfer has one end, and its file is there once."""
    server.gate.clear()
    id_ = submit(hub, ("a", "a"), postSourceCall=call(server, timeout=600))
    options = {"environ": {**environ, "MFT_DATA": str(tmp_path)}, "config": CONFIG, "folder": str(tmp_path)}
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.call_worker", json.dumps(options)], cwd=ROOT, start_new_session=True
    )
    try:
        wait_until(lambda: server.requests)
        program.send_signal(signal.SIGKILL)
        program.wait(60)
    finally:
        end(program)
    server.gate.set()
    with worker(hub):
        found = ended(hub, id_, within=60)
    assert found["status"]["state"] == "successful"
    assert len(server.requests) == 2
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in server.requests}) == 1


def test_232_secrets_of_a_call_are_nowhere_but_at_its_receiver(hub, server, capfd):
    """An answer that repeats them is kept without them, and the database forgets them at the end."""
    token, other = secret("token-of-a-call"), secret("token-in-a-url")
    server.answers = [(500, {}, f"you sent Bearer {token} to /in/{other}?key={other}".encode())]
    headers = {"Authorization": f"Bearer {token}"}
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server, f"/in/{other}?key={other}", headers=headers))
    with capture_logs() as lines, worker(hub):
        assert ended(hub, id_)["status"]["state"] == "failed"
    assert server.requests[0][2]["Authorization"] == f"Bearer {token}"
    (tried,) = [line for line in lines if line["event"] == "call.tried"]
    assert tried["received"] == "you sent *** to ***"
    assert tried["host"] == server.url
    with hub.service.database.read() as connection:
        texts = connection.execute(sa.select(managed.c.submission, managed.c.calls)).one()
    assert (token in str(texts), other in str(texts), str(lines).count(token)) == (False, False, 0)


def test_232_an_answer_that_repeats_a_long_secret_is_kept_without_the_part_that_was_read_last(hub, server):
    """The part of an answer that is read ends amid the secret."""
    token = secret("long-token-of-a-call") * 100
    token = token[:4000]
    server.answers = [(200, {}, b"\n".join([token.encode()] * 8))]
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server, headers={"X-Token": token}))
    with capture_logs() as lines, worker(hub):
        assert ended(hub, id_)["status"]["state"] == "successful"
    (tried,) = [line for line in lines if line["event"] == "call.tried"]
    assert tried["received"] == "***\n" * 3


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_234_two_workers_make_each_call_once(hub, make, server):
    """Neither makes a call of the other's transfers."""
    ids = [submit(hub, ("a", f"f{number}"), postSourceCall=call(server)) for number in range(12)]
    with worker(hub), worker(make()):
        assert {ended(hub, id_)["status"]["state"] for id_ in ids} == {"successful"}
    assert sorted(body["id"] for body in bodies(server)) == sorted(ids)


def test_232_of_an_endless_answer_1000_characters_are_kept(hub, server):
    """The rest is not read."""
    server.answers = [(200, {"Content-Length": str(1 << 40)}, "ü\0".encode() * 50_000)]
    id_ = submit(hub, ("a", "a"), preSourceCall=call(server, timeout=5))
    with capture_logs() as lines, worker(hub):
        assert ended(hub, id_)["status"]["state"] == "successful"
    (tried,) = [line for line in lines if line["event"] == "call.tried"]
    assert tried["received"] == "ü\N{REPLACEMENT CHARACTER}" * 500
