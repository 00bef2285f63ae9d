"""`GET agent` in all versions: names, attributes, filters, and who may read them (1.K)."""

import platform
import tomllib
from pathlib import Path

import pytest

from mft_common.clock import iso
from mft_common.config import Reader
from mqmft_svc.domain.agents import LATEST_MS, Status
from mqmft_svc.store import agents as store
from mqmft_svc.store import managed
from tests.servers.clock import Clock
from tests.service.mqmft_svc.mqmft_hub import BASE, caller, nobody

ROOT = Path(__file__).parents[3]
ENDPOINTS = {
    "bucket": {"url": "s3://landing/in", "key_id": {"env": "KEY_ID"}, "secret": {"env": "SECRET"}},
    "far": {"url": "ftp://ftp.example.org/in"},
}
AGENTS = {
    "QUAY": {"qmgr": "QM1", "root": "file:quay", "description": "Quay side", "timezone": "Europe/Amsterdam"},
    "BANK": {"qmgr": "QM2", "root": "endpoint:bucket/sub", "maximum_source_transfers": 3, "queues": {"env": "BROKER"}},
    "A.1/B_2": {"qmgr": "QM1", "root": "filestore:/in"},
    "FAR": {"qmgr": "QM1", "root": "endpoint:far"},
}
NAMES = ["A.1/B_2", "BANK", "FAR", "QUAY"]
GENERAL = {
    *("description", "statusAge", "version", "level", "statusPublicationRate", "statusPublishTime"),
    *("maximumQueuedTransfers", "maximumSourceTransfers", "maximumDestinationTransfers"),
    *("operatingSystem", "timeZone"),
}


def msg(answer):
    """Return status and id of an error."""
    return answer.status_code, answer.json["error"][0]["msgId"].removeprefix("MQWB")


def names(answer):
    """Return the names in a list."""
    return [one["name"] for one in answer.json["agent"]]


@pytest.fixture
def clock():
    """The clock of the hub."""
    return Clock(BASE)


@pytest.fixture
def hub(make_hub, tmp_path, clock):
    """A hub with agents of each kind, none of which was probed yet."""
    environ = {"KEY_ID": "an-id", "SECRET": "a-secret", "BROKER": "amqp://broker"}
    config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": AGENTS}, "endpoints": ENDPOINTS}
    return make_hub(config=config, reader=Reader(tmp_path, environ, data=tmp_path), now=clock)


@pytest.fixture
def find(hub, clock):
    """Store a finding about an agent, as a probe does."""

    def find(name, finding, detail=""):
        definition = hub.service.section.agents[name].definition
        with hub.service.database.write() as connection:
            assert store.update(connection, name, definition, Status(finding, clock.at, detail))

    return find


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_3_4_181_list_and_one_hold_name_type_and_state_in_all_versions(hub, version):
    """Items 3, 4 and 181: sorted by name, one as a list of one in any case of letters, with or without the slash."""
    for path in ("", "/"):
        answer = hub.agents(path, version)
        assert names(answer) == NAMES
        assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
        assert "ibm-mq-rest-mft-total-transfers" not in answer.headers
    for path in ("/quay", "/QUAY/"):
        assert hub.agents(path, version).json == {"agent": [{"name": "QUAY", "type": "standard", "state": "starting"}]}
    assert names(hub.agents("/a.1%2Fb_2", version)) == ["A.1/B_2"]
    assert hub.agents("/QUAY", version, method="HEAD").data == b""


def test_181_an_unknown_name_is_404_and_one_that_can_be_none_is_400(hub):
    """Item 181: the message names it, and what is no name is told apart."""
    answer = hub.agents("/NOBODY")
    assert msg(answer) == (404, "0408E")
    assert "NOBODY" in answer.json["error"][0]["message"]
    for name in ("QUAY%20", "N" * 29, "%C3%84", "QU*Y", "QUAY%00"):
        assert msg(hub.agents(f"/{name}")) == (400, "0975E"), name


def test_181_a_hub_without_agents_has_an_empty_list(make_hub):
    """Items 51 and 181: an empty array."""
    assert make_hub().agents().json == {"agent": []}


def test_182_everything_of_an_agent(hub, find, clock):
    """Item 182: configuration, version and the age of the state, member by member, and nothing is null."""
    clock.at += 1500
    find("BANK", "ready")
    probed, clock.at = clock.at, clock.at + 65_999
    (bank,) = hub.agents("/BANK?attributes=*").json["agent"]
    general = bank.pop("general")
    assert bank == {
        "name": "BANK", "type": "protocolBridge", "state": "ready",
        "qmgrConnection": {"qmgrName": "QM2", "transportType": "client"},
    }  # fmt: skip
    version = tomllib.loads((ROOT / "mqmft-svc/pyproject.toml").read_text())["project"]["version"]
    assert (general.pop("version"), general.pop("level")) == (version, f"mqmft-svc-{version}")
    assert general == {
        "description": "", "statusAge": "00:01:05", "statusPublicationRate": 30, "statusPublishTime": iso(probed),
        "maximumQueuedTransfers": 1000, "maximumSourceTransfers": 3, "maximumDestinationTransfers": 25,
        "operatingSystem": platform.system(), "timeZone": "UTC",
    }  # fmt: skip
    quay = hub.agents("?attributes=*").json["agent"][3]
    assert set(quay["general"]) == GENERAL
    assert (quay["general"]["description"], quay["general"]["timeZone"]) == ("Quay side", "Europe/Amsterdam")
    # It was never probed.
    assert (quay["general"]["statusAge"], quay["general"]["statusPublishTime"]) == ("", "")
    assert quay["qmgrConnection"] == {"qmgrName": "QM1", "transportType": "bindings"}


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_182_attributes_are_the_default_set_and_what_was_asked_for(hub, version):
    """Items 29 to 33 and 182: objects, members and their union, on the list in every version."""
    wanted = "?attributes=general.description,general,qmgrConnection.qmgrName,name"
    for path in ("", "/QUAY"):
        quay = hub.agents(f"{path}{wanted}", version).json["agent"][-1]
        assert set(quay) == {"name", "type", "state", "general", "qmgrConnection"}
        assert set(quay["general"]) == GENERAL
        assert quay["qmgrConnection"] == {"qmgrName": "QM1"}


@pytest.mark.parametrize(
    ("query", "id_"),
    [
        ("attributes=*,name", "0961E"), ("attributes=name,name", "0961E"), ("attributes=General", "0960E"),
        ("attributes=general.x", "0960E"), ("attributes=id", "0960E"), ("attributes=name,", "0960E"),
        ("attributes=", "0969E"), ("limit=1", "0967E"), ("name=", "0969E"), ("name=a&name=b", "0968E"),
    ],
)  # fmt: skip
def test_31_34_48_182_parameters_that_are_wrong_are_400(hub, query, id_):
    """Items 31 to 34, 48 and 182: on the list and on one agent alike."""
    assert msg(hub.agents(f"?{query}")) == (400, id_)
    assert msg(hub.agents(f"/QUAY?{query}")) == (400, id_)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=quay", ["QUAY"]), ("name=*A*", ["A.1/B_2", "BANK", "FAR", "QUAY"]), ("name=*A", []), ("name=*", NAMES),
        ("name=F*R", ["FAR"]), ("name=A.1/*", ["A.1/B_2"]), ("name=A*1*", ["A.1/B_2"]), ("name=B...", []),
        ("type=standard", ["A.1/B_2", "QUAY"]), ("type=protocolBridge", ["BANK", "FAR"]),
        ("type=connectDirectBridge", []), ("type=all", NAMES), ("type=*", NAMES),
        ("state=ready", ["BANK"]), ("state=starting", ["A.1/B_2", "QUAY"]), ("state=*", NAMES), ("state=stopped", []),
        ("state=problem&type=protocolBridge&name=f*", ["FAR"]), ("state=problem&type=standard", []),
    ],
)  # fmt: skip
def test_183_filters_of_the_list(hub, find, query, found):
    """Item 183: name with asterisks in any case, type and state, an asterisk for any, all of them together."""
    find("BANK", "ready")
    find("FAR", "problem", "access is refused")
    assert names(hub.agents(f"?{query}")) == found


@pytest.mark.parametrize(
    ("query", "id_"),
    [("type=Standard", "0967E"), ("state=all", "0967E"), ("state=READY", "0967E"), ("name=%C3%84", "0975E")],
)
def test_183_a_filter_with_a_value_that_does_not_exist_is_400(hub, query, id_):
    """Items 122 and 183: values are spelled exactly, and the message names those that there are."""
    answer = hub.agents(f"?{query}")
    assert msg(answer) == (400, id_)
    name, _, value = query.partition("=")
    known = {"type": ", protocolBridge, all.", "state": "ready, "}
    assert name == "name" or f"'{value}' is no value of '{name}', which takes " in answer.json["error"][0]["message"]
    assert known.get(name, "") in answer.json["error"][0]["message"]


@pytest.mark.parametrize("name", ["name", "type", "state"])
def test_183_filters_with_a_name_in_the_path_are_400(hub, name):
    """Item 183: there is nothing to filter, whatever the value and the name."""
    for path in ("QUAY", "NOBODY"):
        assert msg(hub.agents(f"/{path}?{name}=*")) == (400, "0964E")


def test_184_a_state_that_is_too_old_is_unknown(hub, find, clock):
    """Item 184: nothing is known without a worker, be it that it never began, or that it ended."""
    find("QUAY", "ready")

    def states():
        return {one["name"]: one["state"] for one in hub.agents().json["agent"]}

    assert states() == {"QUAY": "ready", **dict.fromkeys(("A.1/B_2", "BANK", "FAR"), "starting")}
    clock.at += LATEST_MS
    assert states()["QUAY"] == "ready"
    clock.at += 1
    assert set(states().values()) == {"unknown"}
    assert names(hub.agents("?state=unknown")) == NAMES
    clock.at = BASE - LATEST_MS - 1
    assert set(states().values()) == {"unknown"}


def test_184_an_agent_that_is_ready_is_active_while_a_transfer_runs(hub, find):
    """Item 184: source and destination alike; one that waits changes nothing, nor does it hide a problem."""
    find("QUAY", "ready")
    find("FAR", "problem", "access is refused")
    find("BANK", "ready")
    body = {
        "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
        "destinationAgent": {"name": "FAR", "qmgrName": "QM1"},
        "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]},
    }
    answer = hub.mft(method="POST", json=body, headers={"ibm-mq-rest-csrf-token": ""})
    transfer = answer.headers["Location"].rpartition("/")[2]

    def states():
        return {one["name"]: one["state"] for one in hub.agents().json["agent"]}

    assert states() == {"A.1/B_2": "starting", "BANK": "ready", "FAR": "problem", "QUAY": "ready"}
    with hub.service.database.write() as connection:
        managed.update(connection, transfer, status="running")
    assert states() == {"A.1/B_2": "starting", "BANK": "ready", "FAR": "problem", "QUAY": "active"}
    assert names(hub.agents("?state=active")) == ["QUAY"]
    assert hub.agents("/QUAY").json["agent"][0]["state"] == "active"


@pytest.mark.parametrize(
    ("roles", "topics", "status"),
    [
        (["MFTWebAdmin"], [], 200),
        (["MFTWebAdminRO"], [], 200),
        (["MQWebUser"], ["SYSTEM.FTE/Agents"], 200),
        (["MQWebUser"], ["SYSTEM.FTE/Agents/#"], 200),
        (["MQWebUser"], ["SYSTEM.FTE"], 200),
        (["MQWebUser"], ["SYSTEM.FTE/Transfer"], "0103E"),
        (["MQWebUser"], [], "0103E"),
        (["MQWebAdmin"], ["SYSTEM.FTE/#"], "0108E"),
    ],
)
def test_15_16_17_who_may_read_agents(hub, roles, topics, status):
    """Items 15 to 17: MQWebUser needs the topic of the agents, which the message names."""
    for path in ("", "/QUAY"):
        answer = hub.agents(path, identity=caller(roles=roles, topics=topics))
        if status == 200:
            assert answer.status_code == 200
        else:
            assert msg(answer) == (403, status)
            if status == "0103E":
                assert "SYSTEM.FTE/Agents" in answer.json["error"][0]["message"]


def test_22_128_the_order_of_the_checks_of_an_agent(make_hub, hub):
    """Items 22 and 128: credentials, method, rights, parameters, switched off, and the name last."""
    poor = caller(roles=[])
    assert hub.agents("/NOBODY?x=1", identity=nobody("absent")).status_code == 401
    assert hub.agents("/NOBODY?x=1", method="POST", identity=poor).status_code == 405
    assert hub.agents("/NOBODY?x=1", identity=poor).status_code == 403
    off = make_hub(MQMFT_ENABLED="0")
    assert msg(off.agents("/NOBODY?x=1")) == (400, "0967E")
    assert msg(off.agents("/NOBODY")) == (503, "0400E")
    assert msg(make_hub(MQMFT_COORDINATION_QMGR="").agents()) == (503, "0402E")
