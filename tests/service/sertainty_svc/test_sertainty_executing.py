"""Executions of tasks as a worker carries them out, over both kinds of database (80, 81, 84-86, 90, 111, 112)."""

import sqlalchemy as sa

from mft_common.events import TaskChanged, TransferEnded, TransferProgressed, TransferStarted
from sertainty_svc.domain.agent import AgentStatus
from sertainty_svc.domain.tasks import Action, Folders, TaskType
from sertainty_svc.store.tables import stored_object, task, task_failure
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.executing import START, engine, open_engine, runner

__all__ = ["engine", "open_engine", "runner"]


def test_80_81_an_execution_is_counted_with_its_times(engine):
    """Items 80 and 81: one that ends well counts as one, with its begin and its end, and leaves no error."""
    id_ = engine.task()
    queued = engine.queue(id_, "a.csv", "b.csv")
    assert engine.stored(id_).exec_count == 0
    with engine.worker():
        found = engine.ended(queued)
    stored = engine.stored(id_)
    assert (found.number, found.files, found.errors, found.error) == (1, 2, 0, "")
    assert (stored.exec_count, stored.error_count, stored.error, stored.failed) == (1, 0, "", False)
    assert (stored.started_at, stored.ended_at, stored.last_error_at) == (START, START, None)
    assert engine.outputs() == ["a.csv", "b.csv"]
    assert engine.remembered(id_, "a.csv", "b.csv") == ["a.csv", "b.csv"]


def test_80_a_running_execution_shows_and_keeps_others_of_its_task_waiting(engine):
    """Item 80: a task has one running execution at most, and the next one begins when that has ended."""
    id_ = engine.task(parameters=engine.gate)
    first, second = engine.queue(id_, "a"), engine.queue(id_, "b")
    with engine.worker():
        engine.waits("a")
        stored = engine.stored(id_)
        assert stored.status(AgentStatus.ACTIVE, active=True) == "Executing"
        assert (stored.started_at, stored.ended_at) == (START, None)
        assert engine.execution(second.id).status == "queued"
        engine.go("a", "b")
        engine.ended(first)
        engine.ended(second)
    assert engine.ledger() == ["a", "b"]
    assert engine.stored(id_).exec_count == 2


def test_80_an_execution_waits_for_that_of_a_former_task_of_the_same_name(engine):
    """Item 80: a task that was removed and is there again does not work beside its former execution."""
    gone = engine.task(parameters=engine.gate)
    first = engine.queue(gone, "a", "b")
    with engine.worker():
        engine.waits("a")
        with engine.database.write() as connection:
            connection.execute(sa.delete(task).where(task.c.id == gone))
        second = engine.queue(engine.task(parameters=engine.gate), "c")
        engine.go("a", "b", "c")
        engine.ended(second)
    assert engine.ledger() == ["a", "c"]
    assert engine.execution(first.id).status == "over"


def test_a_worker_runs_as_many_executions_at_once_as_its_section_says(open_engine):
    """The setting `executions` bounds what one worker runs at once."""
    engine = open_engine({"executions": 2})
    queued = [engine.queue(engine.task(name, parameters=engine.gate), name) for name in ("a", "b", "c")]
    with engine.worker():
        engine.waits("a")
        engine.waits("b")
        assert [engine.execution(one.id).status for one in queued] == ["running", "running", "queued"]
        engine.go("a")
        engine.waits("c")
        engine.go("b", "c")
        for one in queued:
            engine.ended(one)


def test_86_a_bad_file_fails_alone_and_is_remembered(engine):
    """Item 86: the others go on, the execution ends in error, and the file is not taken again."""
    id_ = engine.task()
    queued = engine.queue(id_, "a", "bad", "c")
    with engine.worker():
        found = engine.ended(queued)
    stored = engine.stored(id_)
    assert (found.files, found.errors, found.error) == (3, 1, "1 of 3 files failed: bad: it is bad")
    assert (stored.error, stored.failed, stored.last_error_at, stored.retry_at) == (found.error, True, START, None)
    assert engine.outputs() == ["a", "c"]
    assert engine.remembered(id_, "a", "bad", "c") == ["a", "bad", "c"]
    failures = engine.read(lambda connection: connection.execute(sa.select(task_failure.c.task)).scalars().all())
    assert failures == [id_]


def test_86_a_fault_of_the_task_blames_no_file_and_waits_longer_each_time(engine):
    """Item 86: a Change task tries the same files again after 5 s, then after 10 s, and a success ends that."""
    missing = Folders(source=str(engine.folder / "missing"), destination=str(engine.folder / "out"))
    id_ = engine.task(folders=missing)
    with engine.worker():
        for faults, pause in ((1, 5_000), (2, 10_000)):
            engine.ended(engine.queue(id_, "a"))
            stored = engine.stored(id_)
            assert (stored.error, stored.faults, stored.retry_at) == ("the folder is missing", faults, START + pause)
            assert engine.remembered(id_, "a") == []
        (engine.folder / "missing").mkdir()
        (engine.folder / "missing" / "a").write_text("there")
        engine.ended(engine.queue(id_, "a"))
    stored = engine.stored(id_)
    assert (stored.faults, stored.retry_at, stored.failed, stored.error_count) == (0, None, False, 2)
    assert stored.error == "the folder is missing"


def test_78_86_an_id_or_script_that_is_missing_is_the_tasks_fault(engine):
    """Item 78: the execution fails, and goes well once a shared one of that name is there."""
    id_ = engine.task(id_name="edge.iic")
    with engine.worker():
        found = engine.ended(engine.queue(id_, "a"))
        assert (found.error, engine.remembered(id_, "a")) == ("the ID edge.iic does not exist", [])
        with engine.database.write() as connection:
            row = {"kind": "id", "configuration": 0, "name": "edge.iic", "contents": b"<ID/>", "uid": ""}
            connection.execute(sa.insert(stored_object).values(row))
        assert engine.ended(engine.queue(id_, "a")).error == ""


def test_84_a_file_that_changed_while_it_was_read_is_taken_later_without_error(engine):
    """Item 84: it is no error, and the watch hands it over again."""
    id_ = engine.task()
    queued = engine.queue(id_, "a", "later")
    with engine.worker():
        found = engine.ended(queued)
    assert (found.error, engine.remembered(id_, "a", "later")) == ("", ["a"])
    (ended,) = engine.events("transfer.ended")
    assert [item.state for item in ended.items] == ["successful", "cancelled"]


def test_80_85_a_time_task_finds_its_files_itself_and_runs_without_any(engine):
    """Items 80 and 94: a run without files counts as an execution and is no transfer; one with files is one."""
    id_ = engine.task(type=TaskType.TIME)
    with engine.worker():
        assert engine.ended(engine.queue(id_)).files == 0
        assert engine.events("transfer") == []
        engine.put("a", "b")
        assert engine.ended(engine.queue(id_)).files == 2
    assert engine.stored(id_).exec_count == 2
    kinds = [type(one) for one in engine.events("transfer")]
    assert (kinds[0], kinds[-1], kinds.count(TransferStarted)) == (TransferStarted, TransferEnded, 1)


def test_111_an_execution_is_one_transfer_of_the_hub(engine):
    """Item 111: agents, name, properties, originator, cause, and an item for each file with sizes and checksums."""
    cause = engine.ids.new()
    id_ = engine.task(action=Action.AUTO_PROTECT)
    queued = engine.queue(id_, "a", "bad", caused_by=cause)
    with engine.worker():
        engine.ended(queued)
    found = engine.events("transfer")
    started, ended = found[0], found[-1]
    assert {type(one) for one in found[1:-1]} <= {TransferProgressed}
    assert isinstance(started, TransferStarted)
    assert isinstance(ended, TransferEnded)
    assert {one.transfer_id for one in found} == {queued.transfer_id}
    for head in (started, ended):
        assert (head.source_agent.name, head.destination_agent.name) == ("DATAPROTECTOR", "DATAPROTECTOR")
        assert (head.job_name, head.originator.account, head.caused_by) == ("copies", "operator", cause)
        properties = {"crossdock.protocol": "data-protector", "crossdock.task": "night/copies"}
        assert dict(head.user_properties) == properties
    assert (ended.state, ended.description) == ("partiallySuccessful", "1 of 2 files failed: bad: it is bad")
    assert (ended.totals.files, ended.totals.successes, ended.totals.failures) == (2, 1, 1)
    good, bad = ended.items
    assert (good.source.path, good.destination.path) == (str(engine.folder / "in/a"), str(engine.folder / "out/a"))
    assert (good.source.size, good.destination.size, len(good.source.sha256)) == (12, 12, 64)
    assert (bad.state, bad.description) == ("failed", "it is bad")


def test_111_a_script_is_no_transfer(engine):
    """Item 94: script runs are executions without events of transfers."""
    id_ = engine.task(action=Action.SCRIPT)
    with engine.worker():
        engine.ended(engine.queue(id_, "a"))
    assert engine.events("transfer") == []
    assert [one.transfer_id for one in engine.events("task")] == [None, None]


def test_112_the_start_and_the_end_of_an_execution_are_events(engine):
    """Item 112: each with the status and the counters as they are then, and the transfer's id."""
    id_ = engine.task()
    queued = engine.queue(id_, "bad")
    with engine.worker():
        engine.ended(queued)
    error = "1 of 1 files failed: bad: it is bad"
    values = {"configuration": "night", "task": "copies", "transfer_id": queued.transfer_id}
    assert engine.events("task") == [
        TaskChanged(**values, change="started", status="Executing", exec_count=0, error_count=0),
        TaskChanged(**values, change="ended", status="Error", exec_count=1, error_count=1, error=error),
    ]


def test_60_what_a_child_says_and_the_error_are_in_the_log_of_the_task(engine):
    """Item 60: entries stand in their order, under the number of the execution."""
    id_ = engine.task()
    with engine.worker():
        engine.ended(engine.queue(id_, "bad"))
    assert engine.log(id_) == ["attempt 1", "1 of 1 files failed: bad: it is bad"]


def test_60_entries_of_the_log_show_while_their_execution_runs(engine):
    """Item 60: they are stored without a further report of the child."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a")
    with engine.worker():
        engine.waits("a")
        wait_until(lambda: engine.log(id_) == ["attempt 1"], what="the first entry")
        engine.go("a")
        engine.ended(queued)


def test_90_a_child_finds_an_id_by_its_own_id(engine):
    """Item 90: that of the configuration comes before a shared one."""
    id_ = engine.task(description="find an ID")
    with engine.database.write() as connection:
        for owner, contents in ((0, b"shared"), (engine.night, b"own")):
            row = {"kind": "id", "configuration": owner, "name": "x", "contents": contents, "uid": "7"}
            connection.execute(sa.insert(stored_object).values(row))
    with engine.worker():
        engine.ended(engine.queue(id_, "a"))
    assert engine.log(id_)[1] == "found b3du c2hhcmVk"


def test_80_a_scan_that_cannot_be_made_is_an_execution_in_error(engine):
    """Item 80: it is recorded without a child, and the task waits before it tries again."""
    id_ = engine.task()
    with engine.database.write() as connection:
        stored = engine.stored(id_)
        engine.service.ending.fail(connection, stored, "the folder is missing", engine.ids.new())
    stored = engine.stored(id_)
    assert (stored.exec_count, stored.error_count, stored.error) == (1, 1, "the folder is missing")
    assert (stored.retry_at, stored.status(AgentStatus.ACTIVE, active=True)) == (START + 5_000, "Error")
    assert engine.events("transfer") == []
