"""Configurations: created, activated, deleted, listed, and what becomes of the tasks in them."""

import json

import pytest
import sqlalchemy as sa

from sertainty_svc.domain.agent import BEAT_LIFE_MS
from sertainty_svc.store import configurations, tasks
from sertainty_svc.store.tables import AGENT_LOG, OUTBOX, TASK_LOG, agent, execution, stored_object, task_failure
from sertainty_svc.store.tables import task as task_table
from tests.servers.task_documents import document, task
from tests.servers.task_rows import add_execution
from tests.service.sertainty_svc.protector import Hub


@pytest.fixture
def hub(tmp_path):
    """A hub with a root for folders."""
    made = Hub(tmp_path, {"data_protector": {"folders": ["demo/protect"]}})
    yield made
    made.service.close()


@pytest.fixture
def session(hub):
    return hub.login()


def created(hub, session, *names):
    """Create configurations."""
    for name in names:
        assert hub.call("configCreate", name, session=session).status == 1


def statuses(hub, session, *names):
    """Return the states of configurations."""
    return [hub.call("configGetStatus", name, session=session).results[0] for name in names]


def rows(hub, table, **values):
    """Return how many rows have these values."""
    counted = sa.select(sa.func.count()).select_from(table).filter_by(**values)
    with hub.service.database.read() as connection:
        return connection.execute(counted).scalar_one()


def test_39_42_a_new_configuration_has_an_empty_list_of_tasks(hub, session):
    """Items 39, 42 and 45: names sorted, compared exactly, and 232 for one that exists."""
    reply = hub.call("configGetList", session=session)
    assert (reply.status, reply.results) == (1, [])
    assert reply.root.find("ResultList") is not None
    created(hub, session, "night", "day", "Night", "ärger")
    assert hub.call("configCreate", "night", session=session).status == 232
    assert hub.call("configGetList", session=session).results == ["Night", "day", "night", "ärger"]
    assert hub.call("configGetTasks", "night", session=session).results == ['<Tasks version="1"/>']


@pytest.mark.parametrize("function", ["configActivate", "configDelete", "configGetStatus", "configGetTasks"])
def test_16_a_configuration_that_is_not_there_is_213(hub, session, function):
    """Items 16, 38, 40, 44 and 45: after the form of its name was checked."""
    assert hub.call(function, "night", session=session).status == 213
    assert hub.call(function, "a/b", session=session).status == 408


def test_38_75_one_configuration_at_most_is_active(hub, session, tmp_path):
    """Items 38, 69 and 75: another takes its place, the active one again is a success, and a restart keeps it."""
    created(hub, session, "night", "day")
    assert statuses(hub, session, "night", "day") == ["Disabled", "Disabled"]
    for name, expected in (("night", ["Active", "Disabled"]), ("day", ["Disabled", "Active"]), ("day", None)):
        assert hub.call("configActivate", name, session=session).status == 1
        assert statuses(hub, session, "night", "day") == (expected or ["Disabled", "Active"])
    again = Hub(tmp_path)
    assert statuses(again, again.login(), "night", "day") == ["Disabled", "Active"]
    again.service.close()
    hub.now += BEAT_LIFE_MS + 1
    assert statuses(hub, session, "night", "day") == ["Idle", "Idle"]


def test_44_69_errors_of_enabled_tasks_show_until_a_success_or_a_reset(hub, session):
    """Items 44 and 69: paused tasks count, disabled ones do not."""
    created(hub, session, "night")
    contents = document(task("a"), task("b", Enabled="false"))
    assert hub.call("configSaveTasks", "night", contents, session=session).status == 1
    shown = []
    for name, failed in (("b", True), ("a", True), ("b", False)):
        with hub.service.database.write() as connection:
            connection.execute(sa.update(task_table).where(task_table.c.name == name).values(failed=failed))
        shown += hub.call("configGetStatus", "night", session=session).results[1:]
    hub.call("taskPause", "night", "a", session=session)
    shown += hub.call("configGetStatus", "night", session=session).results[1:]
    hub.call("taskReset", "night", "a", session=session)
    shown += hub.call("configGetStatus", "night", session=session).results[1:]
    assert shown == ["Normal", "Errors", "Errors", "Errors", "Normal"]


def test_40_73_77_a_deleted_configuration_takes_everything_along(hub, session):
    """Items 40, 73 and 77: IDs, scripts, tasks, statistics and logs; running executions are asked to end."""
    created(hub, session, "night", "day")
    hub.call("configActivate", "night", session=session)
    for name in ("night", "day"):
        hub.call("configSaveTasks", name, document(task("a"), task("b")), session=session)
    with hub.service.database.write() as connection:
        ids = [configurations.find(connection, name) for name in ("night", "day")]
        for id_ in (*ids, 0):
            row = {"kind": "script", "configuration": id_, "name": "x", "contents": b"", "uid": ""}
            connection.execute(sa.insert(stored_object).values(row))
        for id_ in ids:
            first, second = tasks.of_configuration(connection, id_)
            connection.execute(sa.insert(task_failure).values(task=first.id, name=b"n" * 16))
            for one in (first, second):
                add_execution(connection, one)
                TASK_LOG.append(connection, one.log, hub.now, "Info", "{}")
    assert hub.call("configDelete", "night", session=session).status == 1
    assert hub.call("configGetList", session=session).results == ["day"]
    assert rows(hub, stored_object) == 2
    assert (rows(hub, task_table), rows(hub, task_failure), rows(hub, TASK_LOG.records)) == (2, 1, 2)
    assert rows(hub, execution, stop="ended by deletion of the configuration", configuration="night") == 2
    assert rows(hub, execution, stop="", configuration="day") == 2
    assert hub.call("agentGetStatus", session=session).results[3] == ""
    assert statuses(hub, session, "day") == ["Disabled"]
    created(hub, session, "night")
    assert hub.call("configGetTasks", "night", session=session).results == ['<Tasks version="1"/>']
    assert hub.call("taskGetStatus", "night", "a", session=session).status == 213
    assert statuses(hub, session, "night") == ["Disabled"]


def test_74_each_change_is_in_the_agents_log_with_user_and_address(hub, session):
    """Item 74: what was done to which configuration, and nothing where nothing changed."""
    with hub.service.database.write() as connection:
        connection.execute(sa.update(agent).values(log="this.log"))
    for function in (
        "configCreate",
        "configCreate",
        "configActivate",
        "configActivate",
        "configDelete",
        "configDelete",
    ):
        hub.call(function, "night", session=session, address="10.1.1.1")
    with hub.service.database.read() as connection:
        texts = connection.execute(sa.select(AGENT_LOG.records.c.text).filter_by(subject="this.log")).scalars()
        entries = [json.loads(text) for text in texts]
    assert [one["event"] for one in entries] == ["config.created", "config.activated", "config.deleted"]
    assert {(one["user"], one["address"], one["config"]) for one in entries} == {("operator", "10.1.1.1", "night")}


def test_109_a_thousand_configurations_are_the_most(hub, session):
    """Item 109: the next one is 502 with a sentence, and an existing name is 232 all the same."""
    with hub.service.database.write() as connection:
        for number in range(1000):
            configurations.insert(connection, f"c{number}", "operator", 0)
    reply = hub.call("configCreate", "one more", session=session)
    assert reply.status == 502
    assert "1000" in reply.message
    assert hub.call("configCreate", "c7", session=session).status == 232
    hub.call("configDelete", "c7", session=session)
    created(hub, session, "one more")


def test_112_the_tasks_of_a_deleted_configuration_are_reported_as_removed(hub, session):
    """Item 112: one event for each, in the transaction of the deletion."""
    created(hub, session, "night")
    hub.call("configSaveTasks", "night", document(task("a"), task("b")), session=session)
    hub.call("configDelete", "night", session=session)
    with hub.service.database.read() as connection:
        events = [(one.type, one.subject) for one in connection.execute(sa.select(OUTBOX.table)).all()]
    assert events == [("task.changed.v1", f"night/{name}") for name in "abab"]
