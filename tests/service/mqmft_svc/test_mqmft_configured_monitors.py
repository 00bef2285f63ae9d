"""The monitors of crossdock.yaml, over both kinds of database."""

import pytest

from mft_common.errors import ConfigError
from tests.servers.monitor_bodies import body, config
from tests.servers.monitored import TOKEN, create, sources, transfers
from tests.service.mqmft_svc.mqmft_hub import caller


@pytest.fixture
def make(tmp_path, open_hub, runner):
    """Return a function that applies a configuration with these monitors."""
    (tmp_path / "quay/in").mkdir(parents=True)
    (tmp_path / "quay/other").mkdir()

    def make(*monitors):
        given = config()
        given["ibm_mq_mft"]["monitors"] = list(monitors)
        return open_hub(given, runner=runner)

    return make


def names(hub):
    """Return the names of all monitors."""
    return [one["name"] for one in hub.ask("/ibmmq/rest/v3/admin/mft/monitor").json["monitor"]]


def delete(hub, path):
    """Send a request to delete a monitor or its history."""
    return hub.ask(f"/ibmmq/rest/v3/admin/mft/monitor{path}", "DELETE", headers=TOKEN)


def test_186_the_monitors_of_the_configuration_are_created_and_deleted_with_it(make, tmp_path, open_polls):
    """They begin transfers of the account `system`; those that were created by a request stay."""
    hub = make(body("one"), body("two", agentName="YARD"))
    create(hub, body("mine"))
    assert names(hub) == ["MINE", "ONE", "TWO"]
    (tmp_path / "quay/in/x").write_bytes(b"x")
    polls = open_polls(hub)
    polls.poll(times=2)
    found = {one["job"]["name"]: one["originator"]["userId"] for one in transfers(hub)}
    assert found == {"MINE": "mftadmin", "ONE": "system"}
    assert names(make(body("two", agentName="YARD"))) == ["MINE", "TWO"]
    assert names(make()) == ["MINE"]
    with hub.service.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT watch FROM watch_handled").scalars().all()
    assert len(rows) == 1


def test_237_a_monitor_of_the_configuration_remembers_what_it_has_seen(make, tmp_path, open_polls):
    """Also where its definition changes, which reaches a watcher that runs."""
    hub = make(body())
    polls = open_polls(hub)
    (tmp_path / "quay/in/x").write_bytes(b"x")
    polls.poll(times=2)
    make(body())
    polls.poll(times=3)
    make(body(transferDefinition__job={"name": "renamed"}))
    (tmp_path / "quay/in/y").write_bytes(b"y")
    polls.poll(times=5)
    assert sources(hub) == [["in/x"], ["in/y"]]
    assert [one["job"]["name"] for one in transfers(hub)] == ["WATCH", "renamed"]


def test_186_the_configuration_takes_over_a_name(make):
    """Its definition is in force then, and it goes with the configuration."""
    hub = make()
    create(hub, body(resource__name="other"), identity=caller("me"))
    make(body())
    (shown,) = hub.ask("/ibmmq/rest/v3/admin/mft/monitor/watch?attributes=resource").json["monitor"]
    assert shown["resource"]["name"] == "in"
    assert names(make()) == []


def test_186_every_problem_of_a_monitor_is_named_by_its_path(make):
    """All at once, before anything is applied."""
    wrong = [
        body("a*"),
        body("b", agentName="NONE"),
        body("c", triggerCondition={"type": "sometimes"}),
        body("d", transferDefinition__sourceAgent__name="NONE"),
        body("e"),
        body("E"),
        body("f", transferDefinition__destinationAgent__qmgrName="QM9"),
    ]
    with pytest.raises(ConfigError) as raised:
        make(*wrong)
    places = [problem.partition(": ")[0].removeprefix("ibm_mq_mft.monitors") for problem in raised.value.problems]
    assert places == [
        "[0].name",
        "[1].agentName",
        "[2].triggerCondition.type",
        "[3].transferDefinition.sourceAgent",
        "[5].name",
        "[6].transferDefinition.destinationAgent.qmgrName",
    ]


def test_189_a_request_deletes_no_monitor_of_the_configuration(make):
    """Item 189: the answer names crossdock.yaml, the monitor stays; its history, and others, can be deleted."""
    hub = make(body("one"))
    create(hub, body("mine"))
    answer = delete(hub, "/one")
    assert (answer.status_code, answer.json["error"][0]["msgId"]) == (400, "MQWB0975E")
    assert "declared in crossdock.yaml" in answer.json["error"][0]["message"]
    assert names(hub) == ["MINE", "ONE"]
    assert delete(hub, "/one/history").status_code == 204
    assert delete(hub, "/mine").status_code == 204
    assert delete(make(), "/one").status_code == 404


def test_187_a_changed_definition_makes_no_poll_shorter(make, tmp_path, open_polls):
    """Item 187: the look that it brings at once does not count as one after which a file has kept its size."""
    condition = {"type": "noChangeInSize", "noFileSizeChangePollCount": 1}
    minute = {"triggerCondition": condition, "general": {"pollInterval": 1}}
    hub = make(body(**minute))
    polls = open_polls(hub)
    (tmp_path / "quay/in/x").write_bytes(b"the begin of a file")
    polls.poll()
    make(body(**minute, transferDefinition__job={"name": "renamed"}))
    polls.poll(seconds=2.0, times=5)
    assert sources(hub) == []
    polls.poll(seconds=60.0)
    assert sources(hub) == [["in/x"]]
