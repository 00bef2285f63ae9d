"""Tasks as they are saved: whole or not at all, byte for byte, with what survives of the former ones."""

import itertools
import json
import time

import pytest
import sqlalchemy as sa

from sertainty_svc.store import configurations, tasks
from sertainty_svc.store.tables import OUTBOX, TASK_LOG, execution
from sertainty_svc.store.tables import task as task_table
from tests.servers.task_documents import document, task
from tests.servers.task_rows import add_execution
from tests.service.sertainty_svc.protector import Hub

RESULTS = ["StartTime", "EndTime", "LastErrorTime", "Status", "Error", "ExecCnt", "ErrorCnt"]
RAN = {
    "started_at": 1_780_000_000_000, "ended_at": 1_780_000_001_500, "last_error_at": 1_780_000_001_500,
    "error": "disk full", "failed": True, "exec_count": 7, "error_count": 2, "faults": 3, "retry_at": 5,
}  # fmt: skip


@pytest.fixture
def hub(tmp_path):
    """A hub with a root for folders, and a configuration that is active."""
    made = Hub(tmp_path, {"data_protector": {"folders": ["demo/protect"]}})
    session = made.login()
    made.call("configCreate", "night", session=session)
    made.call("configActivate", "night", session=session)
    yield made
    made.service.close()


@pytest.fixture
def session(hub):
    return hub.login()


def save(hub, session, *found):
    """Save tasks, and return the status."""
    return hub.call("configSaveTasks", "night", document(*found), session=session).status


def change(hub, name, **values):
    """Change columns of the task of a name."""
    with hub.service.database.write() as connection:
        connection.execute(sa.update(task_table).where(task_table.c.name == name).values(**values))


def stored(hub, name):
    """Return a task as it is stored."""
    with hub.service.database.read() as connection:
        return tasks.by_names(connection, "night", name)


def events(hub):
    """Return the changes that were reported so far."""
    with hub.service.database.read() as connection:
        found = connection.execute(sa.select(OUTBOX.table).order_by(OUTBOX.table.c.position)).all()
    data = [json.loads(one.data) if isinstance(one.data, str) else one.data for one in found]
    return [(one.subject, values["change"], values["status"]) for one, values in zip(found, data, strict=True)]


def status_of(hub, session, name):
    return dict(zip(RESULTS, hub.call("taskGetStatus", "night", name, session=session).results, strict=True))


def test_45_49_77_a_document_comes_back_byte_for_byte(hub, session):
    """Items 45, 49 and 77: with its white space, comments, order and byte order mark."""
    contents = f"\ufeff{document(task('b'), '<!-- ä -->', task('a'))}\r\n  ".encode()
    assert hub.call("configSaveTasks", "night", contents, session=session).status == 1
    reply = hub.call("configGetTasks", "night", session=session)
    assert [one.encode() for one in reply.results] == [contents]
    assert hub.call("configSaveTasks", "none", contents, session=session).status == 213


def test_49_103_a_document_with_a_fault_changes_nothing(hub, session):
    """Items 16, 49 and 103: 408 with the path in the header, the former tasks and their statistics as they were."""
    save(hub, session, task("a"))
    before = hub.call("configGetTasks", "night", session=session).results
    reply = hub.call("configSaveTasks", "night", document(task("c"), task("b", Retries=101)), session=session)
    assert (reply.status, reply.detail) == (408, "Task b/Retries is no whole number from 0 to 100")
    assert hub.call("configGetTasks", "night", session=session).results == before
    assert stored(hub, "a") is not None
    assert stored(hub, "c") is None
    assert events(hub) == [("night/a", "saved", "Waiting")]


def test_76_a_task_whose_name_survives_keeps_what_it_has(hub, session):
    """Item 76: statistics, pause and log stay, also where the definition changes; those of removed tasks go."""
    save(hub, session, task("a"), task("b"), task("c"))
    for name in "abc":
        change(hub, name, paused=True, **RAN)
        with hub.service.database.write() as connection:
            one = tasks.by_names(connection, "night", name)
            TASK_LOG.append(connection, one.log, hub.now, "Info", "{}")
            add_execution(connection, one)
    former = {name: stored(hub, name) for name in "abc"}
    assert save(hub, session, task("c", Description="new"), task("d"), task("a")) == 1
    for name in "ac":
        now = stored(hub, name)
        assert (now.id, now.paused, now.exec_count, now.error) == (former[name].id, True, 7, "disk full")
    assert (stored(hub, "c").position, stored(hub, "d").position, stored(hub, "a").position) == (0, 1, 2)
    assert stored(hub, "c").definition.description == "new"
    assert stored(hub, "b") is None
    with hub.service.database.read() as connection:
        subjects = set(connection.execute(sa.select(TASK_LOG.records.c.subject)).scalars())
        stops = dict(connection.execute(sa.select(execution.c.task, execution.c.stop)).all())
    assert subjects == {former["a"].log, former["c"].log}
    assert stops == {"a": "", "b": "ended by removal of the task", "c": ""}
    save(hub, session, task("b"))
    assert stored(hub, "b").id != former["b"].id
    assert (stored(hub, "b").paused, stored(hub, "b").exec_count) == (False, 0)


def test_112_new_changed_and_removed_tasks_are_reported(hub, session):
    """Item 112: one event each, none for a task that stays as it was, with the state after the change."""
    save(hub, session, task("a"), task("b"), task("c", Enabled="0"))
    save(hub, session, task("c", Enabled="0"), task("a", Replace="true"))
    hub.call("taskPause", "night", "*", session=session)
    hub.call("taskPause", "night", "a", session=session)
    hub.call("taskResume", "night", "a", session=session)
    hub.call("taskReset", "night", "a", session=session)
    assert events(hub) == [
        *(("night/a", "saved", "Waiting"), ("night/b", "saved", "Waiting"), ("night/c", "saved", "Idle")),
        *(("night/b", "removed", "Waiting"), ("night/a", "saved", "Waiting")),
        *(("night/c", "paused", "Paused"), ("night/a", "paused", "Paused")),
        *(("night/a", "resumed", "Waiting"), ("night/a", "reset", "Waiting")),
    ]


def test_61_81_the_status_of_a_task_has_seven_named_results(hub, session):
    """Items 61 and 81: empty where it never ran, times in UTC, counters as decimal text."""
    save(hub, session, task("a"))
    reply = hub.call("taskGetStatus", "night", "a", session=session)
    assert reply.names == RESULTS
    assert reply.results == ["", "", "", "Waiting", "", "0", "0"]
    change(hub, "a", **RAN)
    assert hub.call("taskGetStatus", "night", "a", session=session).results == [
        *("2026-05-28T20:26:40.000Z", "2026-05-28T20:26:41.500Z", "2026-05-28T20:26:41.500Z"),
        *("Error", "disk full", "7", "2"),
    ]
    for names in (("night", "b"), ("none", "a"), ("night", "*"), ("night", "A")):
        assert hub.call("taskGetStatus", *names, session=session).status == 213


def test_79_the_first_state_that_holds_is_shown(hub, session):
    """Item 79: Executing, Paused, Idle, Error, Waiting, for every combination of what they depend on."""
    save(hub, session, task("a"))
    enabled, disabled = stored(hub, "a").definition, None
    save(hub, session, task("a", Enabled="false"))
    disabled = stored(hub, "a").definition
    with hub.service.database.write() as connection:
        id_ = add_execution(connection, stored(hub, "a"))
    for running, paused, on, active, failed in itertools.product((True, False), repeat=5):
        text = (enabled if on else disabled).to_json()
        change(hub, "a", paused=paused, failed=failed, definition=json.dumps(text))
        with hub.service.database.write() as connection:
            status = "running" if running else "over"
            connection.execute(sa.update(execution).where(execution.c.id == id_).values(status=status))
            configurations.activate(connection, configurations.find(connection, "night") if active else None)
        expected = "Executing" if running else "Paused" if paused else "Error" if failed else "Waiting"
        idle = not (running or paused) and not (on and active)
        assert status_of(hub, session, "a")["Status"] == ("Idle" if idle else expected)


def test_79_without_an_agent_a_task_is_idle(hub, session):
    """Item 79: Offline or Disabled, and paused all the same where it is paused."""
    save(hub, session, task("a"), task("b"))
    hub.call("taskPause", "night", "b", session=session)
    hub.now += 60_000
    assert [status_of(hub, session, name)["Status"] for name in "ab"] == ["Idle", "Paused"]


def test_62_64_82_pause_and_resume_are_stored_and_repeatable(hub, session, tmp_path):
    """Items 62, 64 and 82: one task or every one, 1 when it is so already, and a restart keeps it."""
    for function in ("taskPause", "taskResume", "taskReset"):
        assert hub.call(function, "night", "*", session=session).status == 1
        assert hub.call(function, "night", "a", session=session).status == 213
        assert hub.call(function, "none", "*", session=session).status == 213
    save(hub, session, task("a"), task("b"))
    for _ in range(2):
        assert hub.call("taskPause", "night", "a", session=session).status == 1
        assert [stored(hub, name).paused for name in "ab"] == [True, False]
    again = Hub(tmp_path)
    assert stored(again, "a").paused
    again.service.close()
    hub.call("taskPause", "night", "*", session=session)
    assert [stored(hub, name).paused for name in "ab"] == [True, True]
    for _ in range(2):
        assert hub.call("taskResume", "night", "*", session=session).status == 1
        assert [stored(hub, name).paused for name in "ab"] == [False, False]


def test_63_83_a_reset_clears_statistics_and_log_and_leaves_the_pause(hub, session):
    """Items 63 and 83: counters, times, last error and log; one that runs stays and is counted when it ends."""
    save(hub, session, task("a"), task("b"))
    for name in "ab":
        change(hub, name, paused=True, **RAN)
        with hub.service.database.write() as connection:
            one = tasks.by_names(connection, "night", name)
            TASK_LOG.append(connection, one.log, hub.now, "Info", "{}")
            for status in ("over", "running"):
                add_execution(connection, one, status=status)
            add_execution(connection, one, status="over", swept=True)
    before = stored(hub, "b")
    assert hub.call("taskReset", "night", "a", session=session).status == 1
    assert list(status_of(hub, session, "a").values()) == ["", "", "", "Executing", "", "0", "0"]
    now = stored(hub, "a")
    assert (now.paused, now.failed, now.faults, now.retry_at) == (True, False, 0, None)
    assert stored(hub, "b") == before
    with hub.service.database.read() as connection:
        assert TASK_LOG.last_id(connection, now.log) is None
        assert TASK_LOG.last_id(connection, before.log) is not None
        found = connection.execute(sa.select(execution.c.task, execution.c.status, execution.c.task_id)).all()
    of_task = [(one.task, one.status) for one in found if one.task_id in {now.id, before.id}]
    assert of_task == [("a", "running"), ("b", "over"), ("b", "running"), ("b", "over")]
    assert [(one.task, one.status) for one in found if one.task_id < 0] == [("a", "over")]


def test_109_ten_thousand_tasks_cost_no_more_each_than_a_thousand(hub, session):
    """Item 109: calls are short also for the most tasks, so the work for them grows no faster than their number."""
    spent = {}
    for count in (1_000, 10_000):
        contents = document(*(task(f"task-{number}") for number in range(count)))
        for function, argument in (("configSaveTasks", contents), ("taskReset", "*")):
            began = time.process_time()
            assert hub.call(function, "night", argument, session=session).status == 1
            spent[function, count] = time.process_time() - began
    for function in ("configSaveTasks", "taskReset"):
        assert spent[function, 10_000] < 40 * spent[function, 1_000]
