"""Leftovers of executions: unfinished files, and their own rows and log entries (10.6, 83, 88)."""

import pytest
import sqlalchemy as sa

from mft_common.watching.memory import digest
from sertainty_svc.operations.executing.purging import purge_executions
from sertainty_svc.store import execution_files, executions, saved_tasks, tasks
from sertainty_svc.store.tables import SWEEPS, WATCHES, task_failure
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.executing import engine, open_engine, runner

__all__ = ["engine", "open_engine", "runner"]


def test_88_what_an_execution_has_left_is_removed_and_forgotten(engine):
    """Item 88: temporary files are removed after the end, by the names that were stored before they were used."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a")
    with engine.worker():
        engine.waits("a")
        assert len(engine.outputs()) == 1
        engine.change_agent(epoch=1, reason="agent restart")
        engine.ended(queued)
        wait_until(lambda: engine.read(SWEEPS.count) == 0, what="the sweep")
    assert engine.outputs() == []
    assert engine.read(lambda connection: list(execution_files.each(connection, queued.id))) == []


@pytest.mark.parametrize("change", ["fault", "pause"])
def test_88_what_an_earlier_attempt_has_left_is_removed_however_the_next_one_ends(engine, change):
    """Item 88: an attempt that does not come to the file under way leaves nothing of it either."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a")
    with engine.worker():
        engine.waits("a")
    assert len(engine.outputs()) == 1
    if change == "fault":
        (engine.folder / "in").rename(engine.folder / "away")
    else:
        engine.change_task(id_, paused=True)
    with engine.worker():
        found = engine.ended(queued)
        wait_until(lambda: engine.outputs() == [], what="the unfinished file to be removed")
        wait_until(lambda: engine.read(SWEEPS.count) == 0, what="the sweep")
    assert found.error == ("the folder is missing" if change == "fault" else "")
    assert engine.read(lambda connection: list(execution_files.each(connection, queued.id))) == []


def test_the_oldest_executions_and_entries_of_a_log_are_dropped(engine):
    """Section 10.6: of each task the newest ones are kept, and those of other tasks are not touched."""
    many, few = engine.task("many"), engine.task("few")
    with engine.worker():
        engine.ended(engine.queue(few, "x"))
        for name in "abcd":
            engine.ended(engine.queue(many, name))
    purge_executions(engine.database, lambda: engine.now, keep=2, entries=3)
    kept = [engine.read(lambda each, id_=id_: list(executions.of_task(each, id_))) for id_ in (many, few)]
    assert [[one.number for one in each] for each in kept] == [[3, 4], [1]]
    assert (engine.log(many), engine.log(few)) == ([2, "attempt 1", "attempt 1"], ["attempt 1"])


def test_86_failed_files_that_are_gone_are_forgotten(engine):
    """Item 86: a task whose bad files are moved to another folder has no row for each of them for ever."""
    id_ = engine.task()
    with engine.worker():
        engine.ended(engine.queue(id_, "bad1", "bad2", "good"))
    with engine.database.write() as connection:
        WATCHES.prune(connection, f"task/{id_}", [digest("bad1")])
    purge_executions(engine.database, lambda: engine.now)
    assert engine.read(lambda each: each.execute(sa.select(task_failure.c.name)).scalars().all()) == [digest("bad2")]


def test_83_a_reset_empties_the_log_also_while_leftovers_are_removed(engine):
    """Item 83: executions that are over are gone from it, and the numbers go on."""
    id_ = engine.task()
    with engine.worker():
        done = engine.ended(engine.queue(id_, "a"))
        with engine.database.write() as connection:
            SWEEPS.add(connection, done.id, engine.now + 1_000)
            saved_tasks.reset(connection, [tasks.by_id(connection, id_)])
        assert engine.read(lambda each: list(executions.of_task(each, id_))) == []
        assert engine.ended(engine.queue(id_, "b")).number == 2
