"""Executions that are taken up again while what they need is away (86, 88)."""

import pytest

from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.store import execution_files, executions
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.executing import engine, open_engine, runner

__all__ = ["engine", "open_engine", "runner"]


@pytest.mark.parametrize("heals", [True, False])
def test_88_a_fault_of_the_task_does_not_make_a_committed_file_an_existing_target(engine, heals):
    """Item 88: a folder that is away when the execution is taken up again has some seconds to return."""
    id_ = engine.task()
    queued = engine.queue(id_, "a")
    (engine.folder / "out" / "a").write_text("content of a")
    cut_off = ExecutionFile(position=0, path="a", identity="1:a", state="moving", checkpoint={"sha256": ""})
    with engine.database.write() as connection:
        executions.update(connection, queued.id, attempts=1, began_at=engine.now)
        execution_files.put(connection, queued.id, [cut_off])
    away = (engine.folder / "in").rename(engine.folder / "away")

    def attempts():
        engine.now += 100
        return engine.execution(queued.id).attempts

    with engine.worker():
        if heals:
            wait_until(lambda: attempts() >= 6, what="more attempts")
            away.rename(engine.folder / "in")
        wait_until(lambda: attempts() and engine.execution(queued.id).status == "over", within=60, what="the end")
    assert engine.execution(queued.id).error == ("" if heals else "the folder is missing")
    assert [one.state for one in engine.events("transfer.ended")] == ["successful" if heals else "failed"]
    assert engine.remembered(id_, "a") == (["a"] if heals else [])
