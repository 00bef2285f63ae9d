"""The stored logs of the agent and of tasks (32, 60, 74)."""

import json
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa

from mft_common.joblog import Retention, purge
from sertainty_svc.domain.logs import AGENT_ENTRIES
from sertainty_svc.domain.tasks import Action, TaskDefinition, TaskType
from sertainty_svc.store import agent as store
from sertainty_svc.store import logs
from sertainty_svc.store.tables import AGENT_LOG, agent_start, configuration, execution, task
from tests.service.sertainty_svc.protector import agent_log, blank_execution, events


@pytest.fixture
def hub(new_hub):
    """Return one hub, over a database of each kind."""
    return new_hub()


def save_task(hub, name="seal", action=Action.COPY, **values):
    """Store the configuration `night` with a task, and return the ids of both."""
    definition = TaskDefinition(name=name, type=TaskType.TIME, action=action, **values.pop("definition", {}))
    with hub.service.database.write() as connection:
        id_ = connection.execute(sa.select(configuration.c.id)).scalar()
        if id_ is None:
            row = {"name": "night", "tasks": b"", "saved_at": 0}
            id_ = connection.execute(configuration.insert().values(row).returning(configuration.c.id)).scalar_one()
        row = {"configuration": id_, "name": name, "position": 0, "definition": json.dumps(definition.to_json())}
        added = task.insert().values(**row, paused=False, **values).returning(task.c.id)
        return id_, connection.execute(added).scalar_one()


def save_execution(hub, task_id, *numbers, action=Action.COPY, **values):
    """Store executions that differ in their numbers alone."""
    definition = json.dumps(TaskDefinition(name="seal", type=TaskType.TIME, action=action).to_json())
    values = {"status": "over", "definition": definition, **values}
    rows = [blank_execution(task_id=task_id, number=number, **values) for number in numbers]
    with hub.service.database.write() as connection:
        connection.execute(execution.insert(), rows)


def task_log(hub, name="seal"):
    """Return a task's log as callers get it."""
    (document,) = hub.call("taskGetLog", "night", name, session=hub.login()).results
    return ET.fromstring(document)


def test_74_twenty_logs_are_kept(hub):
    """Item 74: with the twenty-first start the oldest log goes, with its entries."""
    oldest = agent_log(hub).get("name")
    with hub.service.database.write() as connection:
        names = [logs.begin(connection, hub.now, host="h", version="1") for _ in range(20)]
    with hub.service.database.read() as connection:
        assert list(connection.execute(sa.select(agent_start.c.name).order_by(agent_start.c.number)).scalars()) == names
        assert AGENT_LOG.last_id(connection, oldest) is None
        assert store.find(connection).log == names[-1]
    assert names == sorted(set(names)), "twenty starts within a millisecond have names of their own"


def test_32_74_the_newest_hundred_thousand_entries_are_shown_and_kept(hub):
    """Items 32 and 74: the others are counted, before and after a purge, in one Truncated entry."""
    name = agent_log(hub).get("name")
    texts = [json.dumps({"text": str(number), "event": "e"}) for number in range(AGENT_ENTRIES + 50)]
    database = hub.service.database
    with database.write() as connection:
        AGENT_LOG.append(connection, name, hub.now, "Info", *texts)
    for purged in (False, True):
        if purged:
            none = sa.select(agent_start.c.name).where(sa.false())
            purge(database, AGENT_LOG, Retention(count=AGENT_ENTRIES), none, hub.now)
        with database.read() as connection:
            log = logs.latest(connection)
        assert log.entries[-1].text == str(AGENT_ENTRIES + 49)
        # The two entries before are those of the start and of the session that asked for the name.
        assert len(log.entries) + log.truncated == AGENT_ENTRIES + 52
        assert len(log.entries) == AGENT_ENTRIES - purged
        assert log.entries[0].text == str(50 + purged)


def test_74_sessions_are_in_the_agents_log(hub):
    """Item 74: granted and denied ones with user and address; challenges are neither."""
    hub.call("hostOpenSession", "operator", address="10.1.1.1")
    hub.call("hostOpenSession", "auditor")
    hub.call("hostOpenSession", "auditor", "Antwerp", "7")
    hub.call("hostOpenSession", "full")
    hub.call("hostOpenSession", "outcast", address="10.2.2.2")
    found = [
        (entry.get("event"), entry.get("level"), entry.get("user"), entry.get("address"))
        for entry in agent_log(hub)
        if entry.get("event").startswith("session.")
    ]
    assert found == [
        ("session.granted", "Info", "operator", "10.1.1.1"),
        ("session.denied", "Warning", "full", "10.0.0.9"),
        ("session.denied", "Warning", "outcast", "10.2.2.2"),
    ]


def test_28_74_no_secret_and_no_endless_name_is_in_the_agents_log(hub):
    """Items 28 and 74: neither session ids nor answers, and of a user's name 255 characters."""
    session = hub.login()
    hub.call("hostOpenSession", "auditor", "Rotterdam", "7")
    hub.call("hostOpenSession", "throttled", "Schiedam", "7")
    for _ in range(3):
        hub.call("hostOpenSession", "x\x00\ud7ff" * 1000, "Schiedam")
    with hub.service.database.read() as connection:
        shown = repr(logs.latest(connection))
    assert not [word for word in (session, "Rotterdam", "Schiedam") if word in shown]
    users = [entry.attributes.get("user", "") for entry in logs_of(hub)]
    assert max(map(len, users)) == 258
    assert events(ET.fromstring(hub.call("agentGetLog", session=session).results[0])).count("session.denied") == 2


def logs_of(hub):
    """Return the entries of the latest log."""
    with hub.service.database.read() as connection:
        return logs.latest(connection).entries


def test_60_a_task_log_has_its_executions_and_entries(hub):
    """Items 60, 79 and 94: executions that have begun, in order, with their own entries and transfers."""
    _, id_ = save_task(hub)
    assert [*task_log(hub)] == []
    save_execution(hub, id_, 1, files=2, began_at=1000, ended_at=2000)
    save_execution(hub, id_, 2, error="disk full", errors=1, began_at=3000, ended_at=4000)
    save_execution(hub, id_, 3, action=Action.SCRIPT, files=1, began_at=5000, ended_at=6000)
    save_execution(hub, id_, 4, status="running", files=1, began_at=7000)
    save_execution(hub, id_, 5, status="queued", began_at=8000)
    save_execution(hub, id_, 6, status="queued")
    with hub.service.database.write() as connection:
        logs.append_to_task(connection, f"task/{id_}", 1, 1500, "copied", file="a\udcff")
        logs.append_to_task(connection, f"task/{id_}", 3, 5500, "\x00", level="Error", stream="stderr")
        logs.append_to_task(connection, f"task/{id_ + 1}", 1, 1500, "of another task")
    found = [(one.get("number"), one.get("status"), one.get("transfer"), len(one)) for one in task_log(hub)]
    assert found == [
        ("1", "Success", "A" * 48, 1),
        ("2", "Error", None, 0),
        ("3", "Success", None, 1),
        ("4", "Executing", "A" * 48, 0),
        ("5", "Executing", None, 0),
    ]
    first, _, third, *_ = task_log(hub)
    assert (first[0].get("time"), first[0].get("file")) == ("1970-01-01T00:00:01.500Z", "a\ufffd")
    assert (third[0].get("level"), third[0].get("stream"), third[0].text) == ("Error", "stderr", "\ufffd")


def test_60_a_thousand_executions_are_shown_and_dropped_entries_counted(hub):
    """Item 60: entries of older executions, and those that retention dropped, are in one Truncated entry."""
    _, id_ = save_task(hub)
    save_execution(hub, id_, *range(1, 1003), began_at=1)
    with hub.service.database.write() as connection:
        for number in range(1, 1003):
            logs.append_to_task(connection, f"task/{id_}", number, number, "x")
    truncated, *executions = task_log(hub)
    assert (truncated.tag, truncated.get("count"), len(executions)) == ("Truncated", "2", 1000)
    assert (executions[0].get("number"), executions[-1].get("number")) == ("3", "1002")


def test_60_109_of_long_entries_the_newest_sixteen_million_characters_are_shown(hub):
    """Items 60 and 109: a script may write 160 MB of lines, which no call could render in its time."""
    _, id_ = save_task(hub)
    save_execution(hub, id_, 1, began_at=1)
    line = "x" * 1_000_000
    with hub.service.database.write() as connection:
        for number in range(20):
            logs.append_to_task(connection, f"task/{id_}", 1, number, f"{number} {line}")
    truncated, execution_ = task_log(hub)
    assert (truncated.tag, truncated.get("count"), len(execution_)) == ("Truncated", "4", 16)
    assert [entry.text.partition(" ")[0] for entry in execution_] == [str(number) for number in range(4, 20)]


def test_60_a_log_of_nothing_is_213(hub):
    """Item 60: no such configuration, no such task, and `*`."""
    save_task(hub)
    session = hub.login()
    for names in (("day", "seal"), ("night", "open"), ("night", "*")):
        assert hub.call("taskGetLog", *names, session=session).status == 213
    assert hub.call("taskGetLog", "night", "seal", session=session).status == 1


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, "Normal"),
        ({"failed": True}, "Errors"),
        ({"failed": True, "definition": {"enabled": False}}, "Normal"),
    ],
)
def test_33_69_the_status_names_the_active_configuration_and_its_errors(hub, values, shown):
    """Items 33 and 69: tasks that are enabled and failed last count, paused or not."""
    id_, _ = save_task(hub)
    save_task(hub, "second", **values)
    session = hub.login()
    assert hub.call("agentGetStatus", session=session).results[3:] == ["", "Disabled", "Normal"]
    with hub.service.database.write() as connection:
        store.update(connection, active=id_)
    assert hub.call("agentGetStatus", session=session).results[3:] == ["night", "Active", shown]
    hub.call("agentAlter", session, "Disable")
    assert hub.call("agentGetStatus", session=session).results[3:] == ["night", "Disabled", shown]
    hub.now += 10_001
    assert hub.call("agentGetStatus", session=session).results[3:] == ["night", "Idle", shown]
