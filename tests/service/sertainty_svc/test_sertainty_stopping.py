"""Ends of executions that somebody asks for, over both kinds of database (70, 71, 73, 75, 76, 82)."""

import threading

import pytest
import sqlalchemy as sa

from sertainty_svc.store import executions, saved_tasks, tasks
from sertainty_svc.store.tables import configuration, execution
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.executing import engine, open_engine, runner

__all__ = ["engine", "open_engine", "runner"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"agent": {"enabled": False}}, id="disabled"),
        pytest.param({"agent": {"running": False, "epoch": 1, "reason": "agent shutdown"}}, id="shut-down"),
        pytest.param({"agent": {"active": None}}, id="inactive"),
        pytest.param({"task": {"paused": True}}, id="paused"),
    ],
)
def test_70_71_75_82_an_execution_that_may_not_begin_is_withdrawn_with_its_files(engine, change):
    """Items 70, 71, 75 and 82: nothing begins, and a later scan finds what came; the next execution has that number."""
    id_ = engine.task()
    queued = engine.queue(id_, "a", "b")
    engine.change_agent(**change.get("agent", {"reason": ""}))
    engine.change_task(id_, **change.get("task", {"error": ""}))
    with engine.worker():
        wait_until(lambda: engine.execution(queued.id) is None, what="the execution to be withdrawn")
    assert engine.remembered(id_, "a", "b") == []
    assert (engine.stored(id_).exec_count, engine.outputs()) == (0, [])
    assert engine.queue(id_, "a").number == queued.number


def soft_end(engine, change):
    """Change something while the first of three files is under way; return the execution's end."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a", "b", "c")
    with engine.worker():
        engine.waits("a")
        change(id_)
        engine.go("a", "b", "c")
        found = engine.ended(queued)
    assert engine.outputs() == ["a"]
    assert engine.remembered(id_, "a", "b", "c") == ["a"]
    return id_, found


def test_71_82_disable_and_pause_let_the_file_under_way_finish(engine):
    """Items 71, 73 and 82: the execution ends without error after its current file, the others come later."""
    id_, found = soft_end(engine, lambda id_: engine.change_task(id_, paused=True))
    assert (found.error, found.files, engine.stored(id_).error_count) == ("", 3, 0)
    assert engine.stored(id_).exec_count == 1


def test_71_disabling_the_agent_lets_the_file_under_way_finish(engine):
    """Item 71: nothing new is started, and nothing under way is cut off."""
    _, found = soft_end(engine, lambda _id: engine.change_agent(enabled=False))
    assert found.error == ""


@pytest.mark.parametrize("reason", ["agent shutdown", "agent restart"])
def test_73_a_shutdown_ends_an_execution_in_error_and_leaves_nothing_half_written(engine, reason):
    """Item 73: it ends within the file under way, with the text of who ended it, and counts as one in error."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a", "b", "c")
    with engine.worker():
        engine.waits("a")
        engine.go("a")
        engine.waits("b")
        engine.change_agent(running=False, epoch=1, reason=reason)
        found = engine.ended(queued, within=5)
        wait_until(lambda: engine.outputs() == ["a"], what="the unfinished file to be removed")
    assert found.error == f"ended by {reason}"
    stored = engine.stored(id_)
    assert (stored.exec_count, stored.error_count, stored.error) == (1, 1, f"ended by {reason}")
    assert engine.remembered(id_, "a", "b", "c") == ["a"]


def test_73_deleting_the_configuration_ends_its_executions(engine):
    """Item 73: the text of the deletion is that of the end, and nothing of the task is left but the execution."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a", "b")

    def purged():
        with engine.database.write() as connection:
            return executions.purge(connection, 1000, 10)

    with engine.worker():
        engine.waits("a")
        with engine.database.write() as connection:
            connection.execute(sa.update(execution).values(stop="ended by deletion of its configuration"))
            connection.execute(sa.delete(configuration))
        found = engine.ended(queued, within=5)
        assert found.error == "ended by deletion of its configuration"
        assert wait_until(purged, what="the execution to be deleted once its leftovers are removed") == 1
    assert (engine.outputs(), engine.log(id_)) == ([], [])


def test_73_a_commit_is_refused_as_soon_as_the_end_is_asked_for(engine):
    """Item 73: a file that is ready when the shutdown comes does not appear, though the child was not told yet."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a")
    with engine.worker():
        engine.waits("a")
        with engine.database.write() as connection:
            connection.execute(sa.update(execution).values(stop="ended by a test"))
            engine.go("a")
        found = engine.ended(queued)
    assert (found.error, engine.ledger()) == ("ended by a test", [])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_76_a_task_is_removed_while_a_worker_ends_its_execution(engine):
    """Item 76: both lock the task before the execution, so that neither waits for the other for ever."""
    id_ = engine.task()
    queued = engine.queue(id_, "a")
    gone = [engine.stored(id_)]

    def remove():
        with engine.database.write() as connection:
            saved_tasks.delete(connection, gone, "ended by a test")

    def waits():
        blocked = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return engine.read(lambda connection: connection.execute(sa.text(blocked)).first())

    remover = threading.Thread(target=remove)
    with engine.database.write() as connection:
        tasks.lock(connection, id_)
        remover.start()
        wait_until(waits, what="the removal to wait for the task")
        executions.hold(connection, queued)
    remover.join(60)
    assert engine.stored(id_) is None
    assert engine.execution(queued.id).stop == "ended by a test"
