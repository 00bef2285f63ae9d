"""The resource `call`, over both kinds of database and a real web server: items 190 and 191."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from mft_common.clock import now_ms
from mft_common.process.runner import End
from mqmft_svc.domain.calls import Try
from mqmft_svc.operations.calls.process import CallProcess
from mqmft_svc.operations.calls.try_process import INTERRUPTED
from mqmft_svc.store import calls as store
from mqmft_svc.store.tables import CALL_WORKERS, managed_call
from tests.servers.answering import Answering
from tests.servers.made_secrets import secret
from tests.servers.processes import end, wait_until
from tests.service.mqmft_svc.managed_hub import CSRF, dispatching
from tests.service.mqmft_svc.mqmft_hub import caller

ROOT = Path(__file__).parents[3]
CONFIG = {
    "ibm_mq_mft": {
        "coordination_qmgr": "QM1",
        "agents": {
            "QUAY": {"qmgr": "QM1", "root": "file:quay"},
            "OTHERS": {"qmgr": "QM1", "root": "file:quay", "allow": ["treasury"]},
        },
    }
}
READER = caller("reader", ("MFTWebAdminRO",))


@pytest.fixture
def environ(database_url):
    """The settings of web process and worker."""
    return {"MQMFT_DATABASE_URL": database_url, "MQMFT_CALL_HOSTS": "127.0.0.1"}


@pytest.fixture
def make(open_hub, runner, environ):
    """Return a function that builds the service as another process does."""

    def make(**changes):
        return open_hub(CONFIG, runner=runner, **{**environ, **changes})

    return make


@pytest.fixture
def hub(make):
    return make()


def worker(hub):
    """Make calls within the block."""
    return dispatching(hub.service.call_dispatcher())


def ask(hub, path="", version="v3", **options):
    return hub.ask(f"/ibmmq/rest/{version}/admin/mft/call{path}", **options)


def post(hub, server, *, agent="quay", headers=(), identity=None, call=(), **more):
    """Ask for a call, and return the answer."""
    request = {"type": "http", "url": f"{server.url}/hook", "retryWait": 0, **dict(call)}
    body = {"agent": {"name": agent, "qmgrName": "qm1"}, "call": request, **more}
    return ask(hub, method="POST", json=body, headers={**CSRF, **dict(headers)}, identity=identity)


def submit(hub, server, **more):
    """Ask for a call that is accepted, and return its id."""
    answer = post(hub, server, **more)
    assert answer.status_code == 202, answer.json
    return answer.headers["Location"].rpartition("/")[2]


def whole(hub, id_):
    (found,) = ask(hub, f"/{id_}?attributes=*").json["call"]
    return found


def ended(hub, id_, within=60):
    """Wait for the end of a call, and return all its attributes."""
    return wait_until(lambda: whole(hub, id_) if whole(hub, id_)["statistics"]["endTime"] else None, within=within)


def counted(state):
    """Return how many calls have ended so in this process."""
    labels = {"service": "mqmft-svc", "kind": "call", "state": state}
    return REGISTRY.get_sample_value("mft_work_ended_total", labels) or 0


def error(answer):
    return answer.status_code, answer.json["error"][0]["msgId"]


def test_191_a_call_is_recorded_before_the_202_and_made_by_the_worker(hub, server):
    """The address is absolute and can be read at once; in the end outcome, status and the begin of the answer."""
    server.answers = [(201, {}, b"welcome")]
    answer = post(hub, server, job={"name": "nightly"}, userProperties={"order": "4711"})
    assert (answer.status_code, answer.data) == (202, b"")
    assert answer.headers["Location"].startswith("http://localhost/ibmmq/rest/v3/admin/mft/call/")
    id_ = answer.headers["Location"].rpartition("/")[2]
    found = whole(hub, id_)
    assert found["status"] == {
        "state": "started",
        "description": "",
        "lastStatusUpdate": found["statistics"]["startTime"],
    }
    assert server.requests == []
    before = counted("successful")
    with worker(hub):
        found = ended(hub, id_)
    assert found["status"]["state"] == "successful"
    wait_until(lambda: counted("successful") - before == 1, what="its count")
    assert found["call"] == {
        "type": "http", "name": server.url, "outcome": "success", "resultCode": 201, "retryCount": 0,
        "answer": "welcome",
    }  # fmt: skip
    assert found["agent"] == {"name": "QUAY", "qmgrName": "QM1"}
    assert (found["job"], found["userProperties"]) == ({"name": "nightly"}, {"order": "4711"})
    ((method, path, headers, body),) = server.requests
    assert (method, path, headers["Idempotency-Key"]) == ("POST", "/hook", id_)
    assert json.loads(body) == {
        "id": id_, "call": "call", "agent": {"name": "QUAY", "qmgrName": "QM1"}, "job": {"name": "nightly"},
        "userProperties": {"order": "4711"},
    }  # fmt: skip


def test_190_the_default_attributes_and_those_that_are_asked_for(hub, server):
    """On the list and on one alike; the header with the number of transfers is not sent."""
    id_ = submit(hub, server)
    for path in ("", "/", f"/{id_}", f"/{id_.lower()}/"):
        answer = ask(hub, path)
        (found,) = answer.json["call"]
        assert {name: set(value) if isinstance(value, dict) else value for name, value in found.items()} == {
            "id": id_, "agent": {"name"}, "originator": {"host", "userId"}, "statistics": {"startTime", "endTime"},
            "status": {"state"},
        }  # fmt: skip
        assert found["originator"]["userId"] == "mftadmin"
        assert found["statistics"]["endTime"] == ""
        assert "ibm-mq-rest-mft-total-transfers" not in answer.headers
    for path in ("?", f"/{id_}?"):
        (found,) = ask(hub, f"{path}attributes=call.outcome,job").json["call"]
        assert (found["call"], found["job"]) == ({"outcome": ""}, {"name": ""})
        assert "userProperties" not in found
        (found,) = ask(hub, f"{path}attributes=*").json["call"]
        assert set(found) == {
            "id", "agent", "originator", "statistics", "status", "job", "userProperties", "call",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?limit=2", [4, 3]), ("?limit=99999999999999999999", [4, 3, 2, 1, 0]), ("?after={2}", [4, 3]),
        ("?after={0}&limit=2", [2, 1]), ("?before={2}", [1, 0]), ("?before={4}&limit=2", [3, 2]),
        ("?before={0}", []), ("?after={4}", []),
    ],
)  # fmt: skip
def test_190_the_list_is_paged_like_that_of_transfers(make, server, query, expected):
    """Newest first, the nearest to the one that is named; two that came in one millisecond keep their order."""
    times = [1_780_000_000_000] * 3 + [1_780_000_000_001] * 99
    hub = make(now=lambda: times.pop(0))
    ids = [submit(hub, server) for _ in range(5)]
    assert [one["id"] for one in ask(hub, query.format(*ids)).json["call"]] == [ids[place] for place in expected]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("?attributes=nothing", (400, "MQWB0960E")), ("?attributes=sourceAgent", (400, "MQWB0960E")),
        ("?attributes=*,id", (400, "MQWB0961E")), ("?limit=0", (400, "MQWB0966E")),
        ("?after=A&before=A", (400, "MQWB0965E")), ("?after=A", (404, "MQWB0401E")), ("?x=1", (400, "MQWB0967E")),
        ("/A", (404, "MQWB0401E")), ("/%00", (404, "MQWB0401E")), ("/A?limit=1", (400, "MQWB0964E")),
    ],
)  # fmt: skip
def test_190_what_is_wrong_is_refused_as_for_transfers(hub, path, expected):
    """The rules of 1.D, and 404 MQWB0401E for a call that is not there."""
    assert error(ask(hub, path)) == expected


def test_190_it_exists_in_version_3_alone_and_has_two_methods(hub, server):
    """404 MQWB0116E in the others, 405 with `Allow` for other methods."""
    for version in ("v1", "v2"):
        for path in ("", "/A"):
            assert error(ask(hub, path, version)) == (404, "MQWB0116E")
        assert error(ask(hub, version=version, method="POST", json={}, headers=CSRF)) == (404, "MQWB0116E")
    for method in ("DELETE", "PUT", "PATCH"):
        answer = ask(hub, method=method, headers=CSRF)
        assert error(answer) == (405, "MQWB0974E")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
        assert error(ask(hub, f"/{submit(hub, server)}", method=method, headers=CSRF)) == (405, "MQWB0974E")


def test_16_a_call_is_read_with_the_topic_of_transfers_and_written_by_writers(hub, server):
    """Roles and topics as for transfers; a write needs the header against cross-site requests."""
    user = ("user", ("MQWebUser",))
    for topic in ("SYSTEM.FTE", "SYSTEM.FTE/Transfers", "SYSTEM.FTE/Transfer/#"):
        assert ask(hub, identity=caller(*user, topics=(topic,))).status_code == 200
    for path in ("", "/A"):
        assert error(ask(hub, path, identity=caller(*user, topics=("SYSTEM.FTE/Agents",)))) == (403, "MQWB0103E")
        assert error(ask(hub, path, identity=caller("admin", ("MQWebAdmin",)))) == (403, "MQWB0108E")
    assert ask(hub, identity=READER).status_code == 200
    assert error(post(hub, server, identity=READER)) == (403, "MQWB0108E")
    assert post(hub, server, identity=caller(*user)).status_code == 202
    assert error(ask(hub, method="POST", json={})) == (401, "MQWB0100E")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"call": {"type": "executable", "name": "/bin/true"}}, "call.type"),
        ({"call": {"type": "antScript", "name": "b.xml"}}, "call.type"),
        ({"call": {"type": "jcl", "name": "JOB"}}, "call.type"),
        ({"call": {"type": "http", "url": "http://127.0.0.1/", "timeout": 0}}, "call.timeout"),
        ({"call": {"type": "http", "url": "http://partner.example/"}}, "call.url"),
        ({"call": {"type": "http", "url": "http://169.254.169.254/"}}, "call.url"),
        ({"call": None}, "call"),
        ({"agent": {"name": "QUAY"}}, "agent.qmgrName"),
        ({"job": {"name": "x" * 257}}, "job.name"),
        ({"userProperties": {"crossdock.x": "1"}}, "userProperties"),
        ({"sourceAgent": {}}, "sourceAgent"),
    ],
)
def test_191_a_body_that_is_wrong_is_refused_by_the_path_of_the_attribute(hub, body, name):
    """400 MQWB0971E, and nothing is recorded: no program of the host is ever executed."""
    good = {"agent": {"name": "QUAY", "qmgrName": "QM1"}, "call": {"type": "http", "url": "http://127.0.0.1/"}}
    answer = ask(hub, method="POST", json={**good, **body}, headers=CSRF)
    assert error(answer) == (400, "MQWB0971E")
    assert f"'{name}'" in answer.json["error"][0]["message"]
    assert ask(hub).json["call"] == []


def test_155_an_agent_that_is_not_there_or_does_not_serve_the_caller(hub, server):
    """404 and nothing recorded; with an `allow` list that has not the caller, accepted and `notAuthorized`."""
    assert error(post(hub, server, agent="NONE")) == (404, "MQWB0408E")
    assert ask(hub).json["call"] == []
    found = whole(hub, submit(hub, server, agent="OTHERS"))
    assert found["status"]["state"] == "notAuthorized"
    assert found["statistics"]["endTime"] != ""
    with worker(hub):
        ended(hub, submit(hub, server))
    assert len(server.requests) == 1


def test_152_a_request_that_is_repeated_with_its_key_makes_one_call(hub, server):
    """The key of a transfer is another one."""
    key = {"Idempotency-Key": "k"}
    ids = {submit(hub, server, headers=key) for _ in range(2)}
    assert len(ids) == 1
    assert submit(hub, server, headers=key, identity=caller("other")) not in ids
    agents = {side: {"name": "QUAY", "qmgrName": "QM1"} for side in ("sourceAgent", "destinationAgent")}
    body = {**agents, "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]}}
    location = hub.mft(method="POST", json=body, headers={**CSRF, **key}).headers["Location"]
    assert location.rpartition("/")[2] not in ids


def test_191_a_call_that_fails_is_tried_as_often_as_it_may_be(hub, server):
    """`retryCount` counts the tries after the first; between two it takes no place of the worker."""
    server.answers = [(503, {}, b"busy")] * 3
    failing = submit(hub, server, call={"retryCount": 2})
    with worker(hub):
        found = ended(hub, failing)
        assert found["status"]["state"] == "failed"
        assert found["status"]["description"] == "The receiver answered 503."
        assert (found["call"]["outcome"], found["call"]["resultCode"]) == ("failure", 503)
        assert (found["call"]["retryCount"], found["call"]["answer"]) == (2, "busy")
        assert len(server.requests) == 3
        server.answers = [(500, {}, b"")]
        waits = submit(hub, server, call={"retryCount": 1, "retryWait": 3600})
        found = wait_until(lambda: whole(hub, waits) if whole(hub, waits)["status"]["description"] else None)
        assert found["status"]["state"] == "inProgress"
        assert ended(hub, submit(hub, server))["status"]["state"] == "successful"
    with hub.service.database.read() as connection:
        assert store.find(connection, waits).due_at > now_ms() + 3_000_000


def test_233_the_address_is_looked_at_again_when_the_call_is_made(make, server):
    """A worker with another list sends nothing, and the call fails at once."""
    hub = make(MQMFT_CALL_HOSTS="localhost")
    url = f"http://localhost:{server.port}/"
    id_ = submit(hub, server, call={"url": url, "retryCount": 9, "retryWait": 60})
    with worker(make(MQMFT_CALL_HOSTS="*")):
        found = ended(hub, id_)
    assert found["status"]["description"] == "The host has an address that may not be reached."
    assert server.requests == []


def test_191_a_call_is_made_again_after_kill_9_of_its_worker_and_ends_once(hub, server, environ, tmp_path):
    """At least once, with the same id; a try that was cut off is none of those that count."""
    server.gate.clear()
    id_ = submit(hub, server, call={"timeout": 600})
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
    assert (found["status"]["state"], found["call"]["retryCount"]) == ("successful", 0)
    assert [headers["Idempotency-Key"] for _, _, headers, _ in server.requests] == [id_, id_]


def test_191_a_worker_that_is_stopped_during_a_call_leaves_it_to_the_next(hub, server):
    """Its end does not wait for a receiver that does not answer."""
    server.gate.clear()
    id_ = submit(hub, server, call={"timeout": 600})
    with worker(hub):
        wait_until(lambda: server.requests)
    with hub.service.database.read() as connection:
        left = store.find(connection, id_)
    assert (left.phase, left.tries, left.owner) == ("queued", 0, "")
    server.gate.set()
    with worker(hub):
        assert ended(hub, id_)["status"]["state"] == "successful"


def test_191_a_receiver_that_is_silent_holds_up_no_other(hub, server):
    """Of its calls four run at once; the others wait, and those of other receivers do not."""
    silent = Answering()
    silent.gate.clear()
    try:
        waiting = [submit(hub, silent, call={"timeout": 600}) for _ in range(20)]
        with worker(hub):
            wait_until(lambda: len(silent.requests) == 4)
            assert ended(hub, submit(hub, server), within=10)["status"]["state"] == "successful"
            assert len(silent.requests) == 4
            silent.gate.set()
            assert {ended(hub, id_)["status"]["state"] for id_ in waiting} == {"successful"}
    finally:
        silent.close()


class Ended:
    """A runner whose children have ended with an answer before a kill reaches them."""

    def run(self, _target, _payload, _on_message):
        """Return the handle of such a child."""
        return self

    def kill(self):
        """Come too late."""

    def wait(self):
        """Return the end."""
        return End(0, Try(status=200).to_json())


def test_191_a_try_that_has_ended_when_its_worker_stops_is_stored(hub, server):
    """It is not made again."""
    id_ = submit(hub, server)
    with hub.service.database.write() as connection:
        taken = store.take(connection, "worker", now_ms(), 4)
    process = CallProcess(Ended(), hub.service.database, taken, ["127.0.0.1"], now_ms)
    process.stop(INTERRUPTED)
    process.run()
    assert whole(hub, id_)["status"]["state"] == "successful"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_191_two_workers_make_each_call_once(hub, make, server):
    """They share the queue, and no call has two ends."""
    ids = [submit(hub, server) for _ in range(30)]
    with worker(hub), worker(make()):
        assert {ended(hub, id_)["status"]["state"] for id_ in ids} == {"successful"}
    assert sorted(headers["Idempotency-Key"] for _, _, headers, _ in server.requests) == sorted(ids)


def test_191_a_worker_whose_lease_has_lapsed_takes_no_call_and_writes_no_end(hub, server):
    """Another worker has the call by then, and its word counts."""
    id_ = submit(hub, server)
    with hub.service.database.write() as connection:
        lost = store.take(connection, "dead", now_ms(), 4)
        assert CALL_WORKERS.sign_in(connection, "dead", 0.2).owner == "dead"
    with worker(hub):
        assert ended(hub, id_)["status"]["state"] == "successful"
    with pytest.raises(store.LeaseLost), hub.service.database.write() as connection:
        store.change(connection, lost, state="failed")
    assert whole(hub, id_)["status"]["state"] == "successful"


def test_191_secrets_of_a_call_are_nowhere_but_at_its_receiver(hub, server):
    """Answers, log and database are searched after each test; here the database has them until the end alone."""
    token = secret("token-of-one-call")
    server.answers = [(200, {}, f"you sent {token}".encode())]
    headers = {"X-Token": token}
    id_ = submit(hub, server, call={"url": f"{server.url}/in?key={token}", "headers": headers})
    with worker(hub):
        found = ended(hub, id_)
    assert server.requests[0][2]["X-Token"] == token
    assert (found["call"]["answer"], found["call"]["name"]) == ("you sent ***", server.url)
    with hub.service.database.read() as connection:
        assert connection.execute(sa.select(managed_call.c.request)).scalars().all() == [""]


@pytest.mark.parametrize(("days", "left"), [("0", 3), ("1", 1)])
def test_200_calls_that_are_old_and_over_are_deleted(make, server, days, left):
    """By MQMFT_KEEP_DAYS, in small batches; one that still waits stays, and the days count from the end."""
    hub = make(MQMFT_KEEP_DAYS=days, now=lambda: now_ms() - 2 * 86_400_000)
    for agent in ("OTHERS", "OTHERS", "QUAY"):
        submit(hub, server, agent=agent)
    later = make(MQMFT_KEEP_DAYS=days)
    later.service.operations.calls.purge()
    assert len(ask(later).json["call"]) == left
    with worker(later):
        ended(later, ask(later).json["call"][0]["id"])
    later.service.operations.calls.purge()
    assert len(ask(later).json["call"]) == left


def test_190_the_list_is_read_from_an_index(hub):
    """A page costs the same at the begin and at the end of a long history."""
    if hub.service.database.dialect != "sqlite":
        plan = "EXPLAIN (COSTS OFF) "
        prepare = "SET LOCAL enable_seqscan = off"
    else:
        plan, prepare = "EXPLAIN QUERY PLAN ", "SELECT 1"
    page = "WHERE (started_at, arrival) < (5, 5) ORDER BY started_at DESC, arrival DESC LIMIT 9"
    query = f"SELECT id FROM managed_call {page}"
    with hub.service.database.write() as connection:
        connection.execute(sa.text(prepare))
        shown = str(connection.execute(sa.text(plan + query)).all())
    assert "managed_call_place" in shown
    assert "sort" not in shown.lower().replace("order", "")


def test_188_the_calls_of_a_monitor_are_checked_when_it_is_created_and_shown_without_secrets(hub, server):
    """Its definition names hosts that calls may reach, and `GET` shows of them no path and no header's value."""
    token = secret("token-of-a-monitors-call")

    def create(url):
        call = {"type": "http", "url": url, "headers": {"X-Token": token}, "retryCount": 1}
        definition = {
            **{side: {"name": "QUAY", "qmgrName": "QM1"} for side in ("sourceAgent", "destinationAgent")},
            "transferSet": {
                "item": [{"source": {"name": "${FilePath}"}, "destination": {"name": "b"}}],
                "postSourceCall": call,
            },
        }
        body = {
            "name": "m", "type": "directory", "agentName": "QUAY", "resource": {"name": "in"},
            "triggerCondition": {"type": "matchAll"}, "transferDefinition": definition,
        }  # fmt: skip
        return hub.ask("/ibmmq/rest/v3/admin/mft/monitor", method="POST", json=body, headers=CSRF)

    refused = create("http://partner.example/${FileName}")
    assert error(refused) == (400, "MQWB0971E")
    assert "transferDefinition.transferSet.postSourceCall.url" in refused.json["error"][0]["message"]
    assert create(f"{server.url}/{token}/${{FileName}}").status_code == 201
    (shown,) = hub.ask("/ibmmq/rest/v3/admin/mft/monitor/m?attributes=*").json["monitor"]
    assert shown["transferDefinition"]["transferSet"]["postSourceCall"] == {
        "type": "http", "url": server.url, "headers": {"X-Token": "***"}, "retryCount": 1,
    }  # fmt: skip
    assert hub.ask("/ibmmq/rest/v3/admin/mft/monitor/m", method="DELETE", headers=CSRF).status_code == 204
