"""The entries that executions write into the logs of their tasks (91, 106)."""

import pytest

from mft_common.database.leases import LeaseLost
from sertainty_svc.operations.executing.owned import OwnedExecution, Parts
from sertainty_svc.store import executions
from sertainty_svc.store.tables import TASK_LOG
from tests.service.sertainty_svc.executing import engine, open_engine, runner

__all__ = ["engine", "open_engine", "runner"]


def taken(engine):
    """Return the id of a task, and an execution of it that this process has."""
    id_ = engine.task()
    queued = engine.queue(id_, "a")
    with engine.database.write() as connection:
        execution = executions.take(connection, queued.id, "me", 0, engine.now)
    return id_, OwnedExecution(Parts(engine.database, engine.service.ending), execution)


def lines(begin, count):
    """Return entries as a message LOG has them, with three of them in other levels or streams."""
    found = [{"text": f"{begin + place}", "level": "Info", "file": "a", "stream": "stdout"} for place in range(count)]
    found[1] |= {"stream": "stderr"}
    found[2] |= {"stream": "", "level": "Warning"}
    return found


def test_106_the_lines_of_a_script_are_stored_while_they_come(engine):
    """Item 106: those that wait for a write stay few, so that no transaction lasts long; they keep their order."""
    id_, owned = taken(engine)
    for part in range(20):
        owned.log(lines(500 * part, 500))
    assert len(engine.log(id_)) >= 7_500
    owned.tell()
    assert engine.log(id_) == [str(number) for number in range(10_000)]

    def records(connection):
        last = TASK_LOG.last_id(connection, f"task/{id_}")
        return next(TASK_LOG.pages(connection, f"task/{id_}", last_id=last, size=4))

    found = engine.read(records)
    assert [severity for _, severity, *_ in found] == ["Info", "Info", "Warning", "Info"]
    assert ['"stream": "stderr"' in text for _, _, text, *_ in found] == [False, True, False, False]


def test_106_lines_of_an_execution_that_another_worker_has_are_refused(engine):
    """Item 106: the child that goes on writing is killed by that."""
    id_, owned = taken(engine)
    for part in range(4):
        owned.log(lines(500 * part, 500))
    with engine.database.write() as connection:
        executions.update(connection, owned.execution.id, fence=7)
    with pytest.raises(LeaseLost):
        owned.log(lines(2_000, 500))
    assert engine.log(id_) == []
