"""The resource `monitor`: create, read and delete (1.L)."""

import pytest

from mft_common.config import Reader
from tests.servers.monitor_bodies import DEFINITION, body, config
from tests.service.mqmft_svc.mqmft_hub import Hub, caller, nobody

TOKEN = {"ibm-mq-rest-csrf-token": ""}
PATH = "/ibmmq/rest/{}/admin/mft/monitor{}"


class Monitors:
    """The requests of the tests."""

    def __init__(self, hub):
        self.hub = hub

    def get(self, path="", version="v3", **options):
        return self.hub.ask(PATH.format(version, path), **options)

    def post(self, given, version="v3", headers=TOKEN, **options):
        return self.hub.ask(PATH.format(version, ""), "POST", json=given, headers=headers, **options)

    def delete(self, path, version="v3", headers=TOKEN, **options):
        return self.hub.ask(PATH.format(version, path), "DELETE", headers=headers, **options)

    def names(self, query=""):
        return [(one["name"], one["agentName"]) for one in self.get(query).json["monitor"]]


@pytest.fixture
def hub(open_hub):
    return open_hub(config({"QUAY": "file:quay", "YARD": "file:yard", "A/B": "file:ab"}))


@pytest.fixture
def monitors(hub):
    return Monitors(hub)


def problem(answer):
    """Return status and id of an error."""
    return answer.status_code, answer.json["error"][0]["msgId"]


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_186_a_monitor_is_created_and_its_defaults_come_back(monitors, version):
    """Item 186: 201, no body, an absolute Location that can be read; an empty pattern is as none, a null as absent."""
    given = body(
        "Watch one",
        general=None,
        job=None,
        triggerCondition={"type": "matchAll", "includePattern": "*.csv", "excludePattern": "", "fileSize": None},
    )
    answer = monitors.post(given, version)
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (201, b"", "0")
    assert answer.headers["Location"] == f"http://localhost/ibmmq/rest/{version}/admin/mft/monitor/WATCH%20ONE"
    shown = monitors.hub.ask(f"{answer.headers['Location'].removeprefix('http://localhost')}/?attributes=*")
    assert shown.json == {
        "monitor": [
            {
                "name": "WATCH ONE",
                "type": "directory",
                "agentName": "QUAY",
                "state": "started",
                "general": {"pollInterval": 1, "pollIntervalUnit": "minutes", "matchesPerTask": 1},
                "resource": {"name": "in", "recursionLevel": 0},
                "triggerCondition": {"type": "matchAll", "includePattern": "*.csv", "matchPattern": "wildcard"},
                "transferDefinition": DEFINITION,
                "userProperties": {},
                "defaultVariables": {},
                "triggerFileContentFormat": {},
            }
        ]
    }


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ({"type": "noChangeInSize"}, {"matchPattern": "wildcard", "noFileSizeChangePollCount": 1}),
        ({"type": "sizeGreaterOrEqualTo", "fileSize": 2}, {"matchPattern": "wildcard", "fileSizeUnit": "bytes"}),
        ({"type": "matchNone", "includePattern": "a+", "matchPattern": "regex"}, {}),
    ],
)
def test_186_each_condition_has_defaults_of_its_own(monitors, condition, shown):
    """Item 186: what was given and what it stands for come back."""
    assert monitors.post(body(triggerCondition=condition)).status_code == 201
    (found,) = monitors.get("/watch?attributes=triggerCondition").json["monitor"]
    assert found["triggerCondition"] == {**condition, **shown}


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_185_the_list_has_the_default_attributes_by_name_and_more_on_request(monitors, version):
    """Item 185: attributes are allowed on the list in every version, with the rules of 27 to 34."""
    assert monitors.get(version=version).json == {"monitor": []}
    for name, agent in (("b", "YARD"), ("a", "quay"), ("b", "QUAY")):
        assert monitors.post(body(name, agentName=agent)).status_code == 201
    found = monitors.get(version=version).json["monitor"]
    assert found[0] == {"name": "A", "type": "directory", "agentName": "QUAY", "state": "started"}
    assert [(one["name"], one["agentName"]) for one in found] == [("A", "QUAY"), ("B", "QUAY"), ("B", "YARD")]
    found = monitors.get("?attributes=general.pollInterval,resource", version).json["monitor"]
    assert found[0]["general"] == {"pollInterval": 1}
    assert found[0]["resource"] == {"name": "in", "recursionLevel": 0}
    assert len(monitors.get("/b/", version).json["monitor"]) == 2
    for query, id_ in (("general,general", "MQWB0961E"), ("pollInterval", "MQWB0960E"), ("*,name", "MQWB0961E")):
        assert problem(monitors.get(f"?attributes={query}", version)) == (400, id_)


def test_185_the_list_has_filters(monitors):
    """Item 185: names with asterisks, agents, types and states, of which an asterisk is any."""
    for name, agent in (("in.a", "QUAY"), ("in.b", "YARD"), ("out", "A/B")):
        assert monitors.post(body(name, agentName=agent)).status_code == 201
    assert monitors.names("?name=in.*") == [("IN.A", "QUAY"), ("IN.B", "YARD")]
    assert monitors.names("?name=*a*") == [("IN.A", "QUAY")]
    assert monitors.names("?agentName=yard") == [("IN.B", "YARD")]
    assert monitors.names("?agentName=a/*") == [("OUT", "A/B")]
    assert monitors.names("?state=stopped") == []
    assert monitors.names("?type=queue") == []
    assert len(monitors.names("?type=directory&state=*&name=*&agentName=*")) == 3
    assert monitors.names("?name=" + "*a" * 60) == []
    answer = monitors.get("?state=sleeping")
    assert problem(answer) == (400, "MQWB0967E")
    assert "'sleeping' is no value of 'state', which takes started, stopped." in answer.json["error"][0]["message"]
    assert problem(monitors.get("?agentName=a b")) == (400, "MQWB0975E")
    assert problem(monitors.get("?name=" + "a" * 300)) == (400, "MQWB0975E")
    assert problem(monitors.get("/OUT?state=started")) == (400, "MQWB0964E")
    assert problem(monitors.get("?limit=1")) == (400, "MQWB0967E")


def test_185_a_monitor_of_an_agent_that_is_not_configured_any_more_is_stopped(monitors, open_hub):
    """Item 185: the state says whether its resource is looked at."""
    assert monitors.post(body()).status_code == 201
    later = open_hub(config({"YARD": "file:yard"}))
    (found,) = Monitors(later).get().json["monitor"]
    assert found["state"] == "stopped"
    assert Monitors(later).names("?state=started") == []


@pytest.mark.parametrize("name", ["NONE", "a" * 300, "*", "a%25b", "\u00e9t\u00e9"])
def test_185_an_unknown_monitor_is_404_and_a_bad_name_400(monitors, name):
    """Item 125: both have the id 0975."""
    status = 404 if name in ("NONE", "\u00e9t\u00e9") else 400
    assert problem(monitors.get(f"/{name}")) == (status, "MQWB0975E")
    assert problem(monitors.delete(f"/{name}")) == (status, "MQWB0975E")
    assert problem(monitors.delete(f"/{name}/history")) == (status, "MQWB0975E")


def test_186_a_name_is_in_use_on_its_agent_alone(monitors):
    """Item 186: without regard to case; another agent may have one of the same name."""
    assert monitors.post(body("One")).status_code == 201
    assert problem(monitors.post(body("oNE"))) == (400, "MQWB0977E")
    assert monitors.post(body("one", agentName="YARD")).status_code == 201
    assert monitors.delete("/one?agent=QUAY").status_code == 204
    assert monitors.post(body("ONE")).status_code == 201


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"resource__name": ""}, "'resource.name'"), ({"transferDefinition__x": 1}, "'transferDefinition.x'")],
)
def test_186_a_body_that_is_wrong_creates_nothing(monitors, changes, word):
    """Item 186: the answer names the path of the attribute."""
    answer = monitors.post(body(**changes))
    assert problem(answer) == (400, "MQWB0971E")
    assert word in answer.json["error"][0]["message"]
    assert problem(monitors.post(body("a*b"))) == (400, "MQWB0975E")
    assert monitors.names() == []


def test_186_the_agents_must_exist(monitors):
    """Item 155 holds for a monitor as well: 404, nothing is created; one that a variable names is looked for later."""
    assert problem(monitors.post(body(agentName="NONE"))) == (404, "MQWB0408E")
    assert problem(monitors.post(body(transferDefinition__sourceAgent__name="NONE"))) == (404, "MQWB0408E")
    answer = monitors.post(body(transferDefinition__destinationAgent__qmgrName="QM9"))
    assert problem(answer) == (404, "MQWB0408E")
    assert " of the queue manager 'QM9'." in answer.json["error"][0]["message"]
    assert monitors.names() == []
    assert monitors.post(body(transferDefinition__destinationAgent__name="${where}")).status_code == 201


def test_189_a_monitor_is_deleted_by_its_name_and_agent(monitors):
    """Item 189: 204; agent and queue manager are optional where the name is one agent's alone."""
    for name, agent in (("a", "QUAY"), ("a", "YARD"), ("b", "QUAY")):
        assert monitors.post(body(name, agentName=agent)).status_code == 201
    answer = monitors.delete("/a")
    assert problem(answer) == (400, "MQWB0975E")
    assert "QUAY, YARD" in answer.json["error"][0]["message"]
    assert problem(monitors.delete("/a?agent=A/B")) == (404, "MQWB0975E")
    assert problem(monitors.delete("/b?agentQmgr=QM2")) == (404, "MQWB0975E")
    assert problem(monitors.delete("/a?agent=quay&qmgr=QM1")) == (400, "MQWB0967E")
    assert monitors.delete("/a/history?agent=quay").status_code == 204
    answer = monitors.delete("/a/?agent=quay&agentQmgr=qm1", "v1")
    assert (answer.status_code, answer.data) == (204, b"")
    assert monitors.delete("/b", "v2").status_code == 204
    assert monitors.names() == [("A", "YARD")]
    assert problem(monitors.delete("/b")) == (404, "MQWB0975E")
    assert problem(monitors.delete("/b/history")) == (404, "MQWB0975E")


def test_189_the_number_of_a_deleted_monitor_is_not_used_again(monitors):
    """Its matches are remembered under its number."""
    numbers = []
    for _ in range(3):
        assert monitors.post(body()).status_code == 201
        with monitors.hub.service.database.read() as connection:
            numbers.append(connection.exec_driver_sql("SELECT number FROM monitor").scalar())
        assert monitors.delete("/watch").status_code == 204
    assert len(set(numbers)) == 3


@pytest.mark.parametrize(
    ("roles", "topics", "reads", "writes"),
    [
        (("MFTWebAdmin",), (), 200, 201),
        (("MFTWebAdminRO",), (), 200, 403),
        (("MQWebUser",), ("SYSTEM.FTE/Monitor",), 200, 201),
        (("MQWebUser",), ("SYSTEM.FTE/Monitors/#",), 200, 201),
        (("MQWebUser",), ("SYSTEM.FTE",), 200, 201),
        (("MQWebUser",), ("SYSTEM.FTE/Transfer",), 403, 201),
        (("MQWebAdmin",), (), 403, 403),
    ],
)
def test_189_roles_and_csrf_are_those_of_transfers(monitors, roles, topics, reads, writes):
    """Items 15 to 18, 25: writes need the header, and one of two roles."""
    who = caller("someone", roles, topics)
    assert monitors.get(identity=who).status_code == reads
    assert monitors.post(body(), identity=who).status_code == writes
    assert problem(monitors.post(body(), headers={}, identity=who)) == (401, "MQWB0100E")
    for path in ("/WATCH", "/WATCH/history"):
        assert problem(monitors.delete(path, headers={}, identity=who)) == (401, "MQWB0100E")
    assert monitors.delete("/WATCH/history", identity=who).status_code == (204 if writes == 201 else 403)
    assert monitors.delete("/WATCH", identity=who).status_code == (204 if writes == 201 else 403)
    assert monitors.get(identity=nobody("absent")).status_code == 401


def test_22_of_a_monitor_rights_come_before_parameters_and_these_before_the_resource(monitors):
    """Item 22: a caller without rights learns nothing of names; an unknown method is 405 with Allow."""
    reader = caller("r", ("MFTWebAdminRO",))
    assert problem(monitors.delete("/NONE?x=1", identity=reader)) == (403, "MQWB0108E")
    assert problem(monitors.delete("/NONE?x=1")) == (400, "MQWB0967E")
    answer = monitors.hub.ask(PATH.format("v3", "/NONE"), "PUT", headers=TOKEN)
    assert problem(answer) == (405, "MQWB0974E")
    assert answer.headers["Allow"] == "DELETE, GET, HEAD"
    assert problem(monitors.post([])) == (400, "MQWB0970E")
    answer = monitors.hub.ask(PATH.format("v3", ""), "POST", data="{}", headers=TOKEN)
    assert problem(answer) == (400, "MQWB0972E")


@pytest.mark.parametrize(("environ", "id_"), [({"MQMFT_ENABLED": "0"}, "MQWB0400E"), ({}, "MQWB0402E")])
def test_128_monitors_need_the_service(tmp_path, environ, id_):
    """Item 128: switched off, or without a coordination queue manager, every request is 503."""
    given = config()
    del given["ibm_mq_mft"]["coordination_qmgr"]
    hub = Hub(tmp_path, config=given, reader=Reader(tmp_path, {}, data=tmp_path), **environ)
    try:
        monitors = Monitors(hub)
        answers = [monitors.get(), monitors.get("/X"), monitors.post(body()), monitors.delete("/X")]
        assert [problem(answer) for answer in answers] == [(503, id_)] * 4
    finally:
        hub.service.close()


def test_186_requests_create_no_more_monitors_than_the_limit(open_hub):
    """Item 186: 400, over both kinds of database; those of the configuration count, and a deleted one makes room."""
    given = config({"QUAY": "file:quay", "YARD": "file:yard"})
    given["ibm_mq_mft"]["monitors"] = [body("declared")]
    made = Monitors(open_hub(given, MQMFT_MAX_MONITORS="2"))
    assert made.post(body("one")).status_code == 201
    refused = made.post(body("two"))
    assert problem(refused) == (400, "MQWB0971E")
    assert "there are 2 monitors already" in refused.json["error"][0]["message"]
    assert made.names() == [("DECLARED", "QUAY"), ("ONE", "QUAY")]
    assert made.delete("/one").status_code == 204
    assert made.post(body("two")).status_code == 201
