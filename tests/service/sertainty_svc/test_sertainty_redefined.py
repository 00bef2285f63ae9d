"""Tasks that change, and IDs that are saved, while an execution waits or runs, by both kinds of database (76 to 86)."""

import json
from dataclasses import replace

import sqlalchemy as sa

from sertainty_svc.domain.tasks import Folders, TaskSchedule, TaskType
from sertainty_svc.operations import agenda
from sertainty_svc.operations.executing.ending import End
from sertainty_svc.store import executions
from sertainty_svc.store.tables import configuration, execution
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.executing import START, engine, open_engine, runner

__all__ = ["engine", "open_engine", "runner"]


def redefine(engine, id_, **values):
    """Store another definition of a task, as configSaveTasks does."""
    definition = replace(engine.stored(id_).definition, **values)
    engine.change_task(id_, definition=json.dumps(definition.to_json()))


def test_76_files_that_wait_are_not_handled_by_a_former_definition(engine):
    """Items 76 and 84: the execution is withdrawn, and a scan by the new definition takes its files."""
    id_ = engine.task()
    queued = engine.queue(id_, "a", "b")
    redefine(engine, id_, folders=Folders(source=str(engine.folder / "in"), destination=str(engine.folder / "gate")))
    with engine.worker():
        wait_until(lambda: engine.execution(queued.id) is None, what="the execution to be withdrawn")
    assert engine.outputs() == []
    assert engine.remembered(id_, "a", "b") == []
    assert engine.stored(id_).exec_count == 0


def test_76_a_run_that_waits_is_made_by_the_new_definition(engine):
    """Items 76, 85 and 111: the run of a Time task takes place as its task is now, for the account that saved it."""
    id_ = engine.task(type=TaskType.TIME, schedule=TaskSchedule(interval_s=60))
    queued = engine.queue(id_)
    engine.put("a")
    (engine.folder / "other").mkdir()
    with engine.database.write() as connection:
        connection.execute(sa.update(configuration).values(account="second"))
    redefine(engine, id_, folders=Folders(source=str(engine.folder / "in"), destination=str(engine.folder / "other")))
    with engine.worker():
        assert engine.ended(queued).error == ""
    assert engine.outputs() == []
    assert engine.execution(queued.id).definition == engine.stored(id_).definition
    assert engine.events("transfer.started")[0].originator.account == "second"
    assert [path.name for path in (engine.folder / "other").iterdir()] == ["a"]


def test_76_an_execution_that_has_begun_goes_on_by_the_definition_it_began_with(engine):
    """Items 76 and 88: another worker finishes at the same destination what is half done there."""
    id_ = engine.task()
    queued = engine.queue(id_, "a")
    with engine.database.write() as connection:
        connection.execute(sa.update(execution).where(execution.c.id == queued.id).values(attempts=1, began_at=1))
    redefine(engine, id_, folders=Folders(source=str(engine.folder / "in"), destination=str(engine.folder / "gate")))
    with engine.worker():
        assert engine.ended(queued).error == ""
    assert engine.outputs() == ["a"]


def test_78_86_a_fault_during_which_something_was_saved_is_followed_by_the_shortest_wait(engine):
    """Items 78 and 86: the execution may have begun without the ID that was saved."""
    id_ = engine.task()
    queued = engine.queue(id_, "a")
    engine.change_task(id_, faults=9, retry_at=START - 1)
    with engine.database.write() as connection:
        taken = executions.take(connection, queued.id, "", 0, START)
        for _ in range(2):
            agenda.retry_faults(connection)
        engine.service.ending.end(connection, taken, End(error="the ID cannot be used", fault=True))
    assert engine.stored(id_).retry_at == START + 5_000
