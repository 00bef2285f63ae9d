"""Requests for managed transfers and requests to stop them, up to the worker: 1.J."""

import copy
import json

import pytest
import sqlalchemy as sa

from mft_common.config import Reader
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import OUTBOX
from tests.servers.clock import Clock
from tests.service.mqmft_svc.mqmft_hub import BASE, caller

CSRF = {"ibm-mq-rest-csrf-token": ""}
AGENTS = {
    "QUAY": {"qmgr": "QM1", "root": "file:quay"},
    "YARD": {"qmgr": "QM2", "root": "file:yard"},
    "VAULT": {"qmgr": "QM1", "root": "file:vault", "allow": ["treasury"]},
    "SHED": {"qmgr": "QM1", "root": "file:shed", "maximum_queued_transfers": 2},
    "WIRE": {"qmgr": "QM1", "root": "file:wire", "queues": {"env": "BROKER"}},
}
BODY = {
    "job": {"name": "nightly"},
    "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
    "destinationAgent": {"name": "yard", "qmgrName": "qm2"},
    "transferSet": {
        "item": [{"source": {"name": "report.txt"}, "destination": {"name": "in/report.txt"}}],
        "userProperties": {"order": "4711"},
    },
}


@pytest.fixture
def clock():
    """The clock of the hub."""
    return Clock(BASE)


@pytest.fixture
def hub(make_hub, tmp_path, clock):
    """A hub with agents, and no worker that would carry anything out."""
    config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": AGENTS}}
    return make_hub(config=config, reader=Reader(tmp_path, {"BROKER": "amqp://broker"}, data=tmp_path), now=clock)


def body(**values):
    """Return a body with values at paths such as `sourceAgent__name`; `0` is the first item."""
    made = copy.deepcopy(BODY)
    for path, value in values.items():
        at, *names = made, *path.split("__")
        for name in names[:-1]:
            at = at[int(name)] if name.isdigit() else at[name]
        at[names[-1]] = value
    return made


def post(hub, given=BODY, version="v3", headers=None, **options):
    """Send a request for a transfer."""
    return hub.mft(version=version, method="POST", json=given, headers={**CSRF, **(headers or {})}, **options)


def accepted(hub, given=BODY, **options):
    """Send a request that is accepted, and return the transfer's id."""
    answer = post(hub, given, **options)
    assert (answer.status_code, answer.data) == (202, b"")
    return answer.headers["Location"].rpartition("/")[2]


def stopped(hub, id_, **options):
    """Send a request to stop a transfer; return status and the error's id."""
    answer = hub.mft(f"/{id_}", method="DELETE", headers=CSRF, **options)
    return answer.status_code, answer.json["error"][0]["msgId"] if answer.data else ""


def whole(hub, id_):
    """Return all attributes of a transfer."""
    (found,) = hub.mft(f"/{id_}?attributes=*").json["transfer"]
    return found


def events(hub):
    """Return type and data of the events in the outbox."""
    with hub.service.database.read() as connection:
        rows = connection.execute(sa.select(OUTBOX.table.c.type, OUTBOX.table.c.data).order_by(OUTBOX.table.c.position))
        return [(row.type, json.loads(row.data)) for row in rows]


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_151_179_the_location_can_be_read_at_once(hub, version):
    """Items 150, 151, 179: 202 without a body, an absolute address of the same version, and the whole request."""
    answer = post(hub, version=version, identity=caller(base_url="https://hub.example:8443"))
    assert (answer.status_code, answer.headers["Content-Length"]) == (202, "0")
    assert "Content-Type" not in answer.headers
    base, _, id_ = answer.headers["Location"].rpartition("/")
    assert base == f"https://hub.example:8443/ibmmq/rest/{version}/admin/mft/transfer"
    found = whole(hub, id_)
    assert (found["id"], found["job"], found["userProperties"]) == (id_, {"name": "nightly"}, {"order": "4711"})
    assert found["sourceAgent"] == {"name": "QUAY", "qmgrName": "QM1"}
    assert found["destinationAgent"] == {"name": "YARD", "qmgrName": "QM2"}
    assert (found["originator"]["userId"], found["status"]["state"]) == ("mftadmin", "started")
    assert (found["statistics"]["numberOfFiles"], found["statistics"]["endTime"]) == (1, "")
    (item,) = found["transferSet"]["item"]
    assert (item["source"]["file"]["path"], item["destination"]["file"]["path"]) == ("report.txt", "in/report.txt")


def test_151_the_address_without_a_gateway_is_that_of_the_request(hub):
    """Item 151: the host as the request names it, where nothing else is known."""
    assert post(hub).headers["Location"].startswith("http://localhost/ibmmq/rest/v3/admin/mft/transfer/414D51")


def test_203_record_and_event_are_one(hub):
    """Item 203: one event, and the record that it makes later is the one that is there already."""
    id_ = accepted(hub)
    before = whole(hub, id_)
    ((kind, event),) = events(hub)
    assert (kind, event["transfer_id"], event["protocol"]) == ("transfer.started.v1", id_, "ibm-mq-mft")
    assert hub.mft().json["transfer"][0]["id"] == id_
    assert hub.mft().headers["ibm-mq-rest-mft-total-transfers"] == "1"
    assert before["status"]["lastStatusUpdate"] == before["statistics"]["startTime"]


@pytest.mark.parametrize("item", [{"source": {"name": "*.txt"}}, {"source": {"name": "d", "type": "directory"}}])
def test_179_items_that_are_not_found_yet_are_not_shown(hub, item):
    """Item 179: a pattern and a directory are as many items as they have files."""
    id_ = accepted(hub, body(transferSet__item__0__source=item["source"]))
    assert whole(hub, id_)["transferSet"]["item"] == []


def test_152_a_repeated_request_with_the_same_key_is_one_transfer(hub, clock):
    """Item 152: for a day, for that account alone; without a key each request is one of its own."""
    key = {"Idempotency-Key": "k" * 5000}
    first = accepted(hub, headers=key)
    assert accepted(hub, headers=key) == first
    assert accepted(hub, body(job__name="another"), headers=key) == first
    assert accepted(hub, headers=key, identity=caller(account="treasury")) != first
    assert accepted(hub) != accepted(hub)
    clock.at += 86_400_001
    assert accepted(hub, headers=key) != first


def test_152_a_repeated_request_has_the_first_answer_though_its_agent_is_gone(hub, make_hub, tmp_path, clock):
    """Item 152: the configuration was applied anew since; a request of its own is 404."""
    first = accepted(hub, headers={"Idempotency-Key": "k"})
    config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": {"VAULT": AGENTS["VAULT"]}}}
    later = make_hub(config=config, reader=Reader(tmp_path, {}, data=tmp_path), now=clock)
    assert accepted(later, headers={"Idempotency-Key": "k"}) == first
    assert post(later).status_code == 404


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"sourceAgent__name": "NOBODY"}, "NOBODY"),
        ({"destinationAgent__name": "nobody"}, "NOBODY"),
        ({"destinationAgent__qmgrName": "QM1"}, "YARD"),
    ],
)
def test_155_an_agent_that_is_not_there_is_404_and_nothing_is_recorded(hub, values, name):
    """Item 155: no such agent, or not of that queue manager."""
    answer = post(hub, body(**values))
    assert (answer.status_code, answer.json["error"][0]["msgId"]) == (404, "MQWB0408E")
    assert name in answer.json["error"][0]["message"]
    assert hub.mft().json == {"transfer": []}
    assert events(hub) == []


@pytest.mark.parametrize(
    ("values", "state", "words"),
    [
        ({"transferSet__item__0__source__type": "dataset"}, "malformed", "z/OS"),
        ({"sourceAgent__name": "VAULT"}, "notAuthorized", "VAULT"),
        ({"transferSet__item__0__source__type": "queue"}, "failed", "QUAY has no message broker"),
        ({"transferSet__item__0__destination__type": "queue"}, "failed", "YARD has no message broker"),
        (
            {"transferSet__item__0__source__type": "queue", "transferSet__item__0__destination__type": "queue"},
            "malformed",
            "from a queue to a queue",
        ),
    ],
)
def test_178_231_what_an_agent_does_not_carry_out_is_accepted_and_has_ended(hub, values, state, words):
    """Items 73, 75, 178 and 231 and 4.C: 202, a final state with its reason, its item counted, and both events."""
    id_ = accepted(hub, body(**values))
    found = whole(hub, id_)
    assert found["status"]["state"] == state
    assert [item["status"]["state"] for item in found["transferSet"]["item"]] == [state]
    assert words in found["status"]["description"]
    if state == "failed":
        assert words in found["transferSet"]["item"][0]["status"]["description"]
    assert found["status"]["description"].startswith("BFGRP0037I: ")
    counts = [found["statistics"][f"numberOfFile{name}"] for name in ("s", "Successes", "Failures")]
    assert counts == [1, 0, int(state == "failed")]
    assert found["statistics"]["endTime"] == found["statistics"]["startTime"]
    assert [kind for kind, _ in events(hub)] == ["transfer.started.v1", "transfer.ended.v1"]
    with hub.service.database.read() as connection:
        assert not store.any_due(connection, BASE + 1)
    assert stopped(hub, id_) == (400, "MQWB0976E")


def test_182_an_agent_takes_as_many_waiting_transfers_as_it_declares(hub):
    """Item 182: `maximumQueuedTransfers` counts those that begin at the agent; one more fails at once."""
    states = [whole(hub, accepted(hub, body(sourceAgent__name="SHED")))["status"] for _ in range(3)]
    assert [one["state"] for one in states] == ["started", "started", "failed"]
    assert "2 transfers wait at the agent SHED already" in states[2]["description"]
    assert whole(hub, accepted(hub))["status"]["state"] == "started"


def test_180_a_transfer_that_has_not_begun_is_taken_back(hub):
    """Item 180: 202 and `deleted`; a second time 400; any case of the id."""
    id_ = accepted(hub)
    assert stopped(hub, id_.lower()) == (202, "")
    found = whole(hub, id_)
    assert (found["status"]["state"], found["statistics"]["endTime"] != "") == ("deleted", True)
    assert [item["status"]["state"] for item in found["transferSet"]["item"]] == ["deleted"]
    assert stopped(hub, id_) == (400, "MQWB0976E")
    with hub.service.database.read() as connection:
        assert not store.any_due(connection, BASE + 1)


def test_180_only_managed_transfers_can_be_stopped(hub, clock):
    """Item 180: another service's transfer names its owner, an unknown one is 404, what ended long ago too."""
    id_ = hub.upload(1)
    answer = hub.mft(f"/{id_}", method="DELETE", headers=CSRF)
    assert answer.json["error"][0]["msgId"] == "MQWB0976E"
    assert "http-mft" in answer.json["error"][0]["message"]
    for unknown in ("0" * 48, "x", "%00", "0" * 5000):
        assert stopped(hub, unknown) == (404, "MQWB0401E")
    mine = accepted(hub)
    assert stopped(hub, mine) == (202, "")
    clock.at += 2 * 86_400_000
    assert hub.service.operations.submitting.purge() == 1
    assert stopped(hub, mine) == (400, "MQWB0976E")
    assert whole(hub, mine)["status"]["state"] == "deleted"


def test_180_the_request_is_an_extension_of_ours(make_hub, tmp_path):
    """Item 180: MQMFT_EXTENSIONS=0 leaves IBM's methods alone."""
    hub = make_hub(MQMFT_EXTENSIONS="0")
    answer = hub.mft(f"/{'0' * 48}", method="DELETE", headers=CSRF)
    assert (answer.status_code, answer.json["error"][0]["msgId"]) == (405, "MQWB0974E")


def test_22_153_the_order_of_the_checks(hub):
    """Items 22 and 153: CSRF, then the role, then size, type and content of the body, then the agents."""
    large = {"data": b" " * (1 << 20) + b"{}", "content_type": "application/json"}
    assert hub.mft(method="POST").json["error"][0]["msgId"] == "MQWB0100E"
    assert hub.mft(method="POST", **large).json["error"][0]["msgId"] == "MQWB0100E"
    reader = caller(roles=["MFTWebAdminRO"])
    refused = hub.mft(method="POST", **large, headers=CSRF, identity=reader)
    assert refused.json["error"][0]["msgId"] == "MQWB0108E"
    assert post(hub, {}, identity=reader).json["error"][0]["msgId"] == "MQWB0108E"
    assert post(hub, identity=caller(roles=["MQWebUser"])).status_code == 202
    plain = hub.mft(method="POST", data="{}", headers={**CSRF, "Content-Type": "text/plain"})
    assert plain.json["error"][0]["msgId"] == "MQWB0972E"
    assert post(hub, []).json["error"][0]["msgId"] == "MQWB0970E"
    wrong = post(hub, body(sourceAgent__name="NOBODY", transferSet__priority="1")).json["error"][0]
    assert (wrong["msgId"], "transferSet.priority" in wrong["message"]) == ("MQWB0971E", True)
    refused = hub.mft(method="POST", **large, headers=CSRF)
    assert (refused.status_code, refused.json["error"][0]["msgId"]) == (413, "MQWB0973E")
