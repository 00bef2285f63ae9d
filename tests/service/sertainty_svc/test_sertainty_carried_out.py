"""Tasks that a worker carries out as a whole: watched, queued, run in the real child, and recorded."""

import contextlib
import os
import random
import threading

import pytest
import sqlalchemy as sa

from mft_common.events import LocalBus
from mft_common.process.background_tasks import start_tasks
from mft_common.process.runner import Runner
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.domain.tasks import Action, Folders, TaskType
from sertainty_svc.operations import agenda
from sertainty_svc.operations.protection import host_key
from sertainty_svc.operations.protection.issuing import new_id
from sertainty_svc.operations.protection.machine import machine_uuid, this_machine
from sertainty_svc.schemas.presets import SHIPPED
from sertainty_svc.store import execution_files, executions, objects
from sertainty_svc.store.tables import execution
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.executing import Engine
from tests.service.sertainty_svc.test_sertainty_recovering import Worker

CHUNK = 1 << 20


@pytest.fixture(scope="module")
def runner():
    """The runner of a worker with the real child."""
    with Runner("sertainty-svc", ("sertainty_svc.operations.running.child",)) as made:
        yield made


@pytest.fixture
def engine(tmp_path, database_url, runner):
    """A hub whose only root is the folder of the test."""
    made = Engine(tmp_path, database_url, runner, {"folders": [str(tmp_path)]})
    yield made
    made.service.close()


@contextlib.contextmanager
def working(engine):
    """Let the worker's tasks run within the block, all of them."""
    stop = threading.Event()
    tasks = engine.service.background_tasks(LocalBus({"sertainty-svc": engine.database}))
    threads = start_tasks([one for one in tasks if "relay" not in one.name], stop)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def follow(engine):
    """Bring the watches to the tasks, as each function that changes tasks does."""
    with engine.database.write() as connection:
        agenda.sync(connection, engine.now)


def all_executions(engine):
    """Return the executions so far that are over."""
    ids = engine.read(lambda each: each.execute(sa.select(execution.c.id).order_by(execution.c.id)).scalars().all())
    return [one for one in map(engine.execution, ids) if one.status == "over"]


def folders(source, destination, **others):
    return Folders(source=source, destination=destination, **others)


def test_89_90_a_file_is_protected_and_restored_by_two_tasks_that_watch(engine, tmp_path):
    """Items 84, 89, 90 and 111: one task's output is the other's source; content and time come back."""
    settings, section = engine.service.settings, engine.service.section
    machine = this_machine(host_key.ensure(settings, section), machine_uuid(settings.state))
    contents = new_id("edge.iic", [machine], SHIPPED["Unrestricted"], kem="x25519", now_ms=engine.now)[1]
    with engine.database.write() as connection:
        objects.save(connection, objects.Key("id", 0, "edge.iic"), contents)
    given = {"settle_s": 0.1}
    engine.task("seal", action=Action.AUTO_PROTECT, id_name="edge.iic", folders=folders("in", "out"), **given)
    engine.task(
        "open", action=Action.AUTO_UNPROTECT, id_name="edge.iic", folders=folders("out", "back"), **given
    )  # fmt: skip
    follow(engine)
    source = tmp_path / "in" / "crate.bin"
    with working(engine):
        source.write_bytes(b"content" * 100_000)
        os.utime(source, ns=(1, 1_700_000_000_123_000_000))
        back = tmp_path / "back" / "crate.bin"
        wait_until(back.exists, what="the restored file")
        wait_until(lambda: len(all_executions(engine)) == 2, what="the ends of both executions")
    assert back.read_bytes() == source.read_bytes()
    assert back.stat().st_mtime_ns == source.stat().st_mtime_ns
    ended = engine.events("transfer.ended")
    assert [(one.job_name, one.state) for one in ended] == [("seal", "successful"), ("open", "successful")]
    assert ended[0].items[0].source.path == "in/crate.bin"
    assert ended[0].items[0].destination.path == "out/crate.bin.sealed"
    assert ended[0].items[0].source.sha256 == ended[1].items[0].destination.sha256


def test_88_kills_of_everything_amid_copies_leave_each_file_once(engine, tmp_path):
    """Items 88 and 92: no partial file, no source lost, one transfer with one end, after kills at seeded moments."""
    chance = random.Random(92)
    names = [f"f{number:02d}.bin" for number in range(8)]
    id_ = engine.task(type=TaskType.TIME, action=Action.MOVE, folders=folders("in", "out"))
    contents = {name: chance.randbytes(2 * CHUNK) for name in names}
    for name, data in contents.items():
        (tmp_path / "in" / name).write_bytes(data)
    engine.config = {"data_protector": {"folders": [str(tmp_path)]}}
    made = [Worker(engine, real=True)]
    try:
        queued = engine.queue(id_)
        for _ in range(6):
            wait_until(lambda: chance.random() < 0.02)
            made[-1].kill(everything=True)
            made.append(Worker(engine, real=True))
        engine.ended(queued, within=60)
    finally:
        for one in made:
            one.close()
    assert engine.execution(queued.id).error == ""
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == contents
    assert list((tmp_path / "in").iterdir()) == []
    assert len(engine.events("transfer.started")) == len(engine.events("transfer.ended")) == 1


def test_73_a_shutdown_amid_a_large_copy_leaves_nothing_and_the_file_comes_later(engine, tmp_path):
    """Item 73: the copy ends at the next block, and after the next start of the agent the file is taken again."""
    id_ = engine.task(action=Action.COPY, folders=folders("in", "out"), settle_s=0.1)
    with (tmp_path / "in" / "large.bin").open("wb") as file:
        file.truncate(3 << 30)
    follow(engine)
    with working(engine):
        wait_until(lambda: engine.outputs() != [], what="the unfinished file")
        engine.change_agent(running=False, epoch=1, reason="agent shutdown")
        wait_until(lambda: engine.stored(id_).exec_count == 1, within=5, what="the end of the execution")
        assert engine.stored(id_).error == "ended by agent shutdown"
        wait_until(lambda: engine.outputs() == [], what="the unfinished file to be removed")
        with (tmp_path / "in" / "large.bin").open("wb") as file:
            file.truncate(1000)
        engine.change_agent(running=True)
        follow(engine)
        wait_until(lambda: engine.outputs() == ["large.bin"], what="the file")
        wait_until(lambda: engine.stored(id_).exec_count == 2, what="the end of the second execution")
    assert engine.stored(id_).failed is False


def test_85_88_a_worker_goes_on_to_find_files_where_another_was_cut_off(engine, tmp_path):
    """Items 85, 88 and 111: files that were found keep their places, and the others follow them in one transfer."""
    id_ = engine.task(type=TaskType.TIME, folders=folders("in", "out"))
    engine.put("a", "b", "c")
    queued = engine.queue(id_)
    with engine.database.write() as connection:
        executions.update(connection, queued.id, attempts=1, began_at=engine.now)
        execution_files.put(connection, queued.id, [ExecutionFile(position=0, path="b")])
    with working(engine):
        ended = engine.ended(queued)
    assert (ended.error, ended.files, ended.has_files) == ("", 3, True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b", "c"]
    (event,) = engine.events("transfer.ended")
    assert [(one.index, one.source.path) for one in event.items] == [(0, "in/b"), (1, "in/a"), (2, "in/c")]
