"""Executions whose child, worker or machine dies or freezes at some moment (73, 80, 88)."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mft_common.events import TransferEnded, TransferStarted
from mft_common.process import descendants
from tests.servers.processes import end, is_running, wait_until
from tests.service.sertainty_svc.executing import engine, open_engine, runner

__all__ = ["engine", "open_engine", "runner"]
ROOT = Path(__file__).parents[3]
LEASE_S = 3.0


class Worker:
    """A worker in a process of its own, with the child of these tests or the `real` one."""

    def __init__(self, engine, lease=LEASE_S, *, real=False):
        order = {
            "data": str(engine.data), "lease": lease, "config": engine.config, "real": real,
            "database": engine.service.settings.database_url,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.execution_worker_program", json.dumps(order)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self, *, everything):
        """Kill the worker, or all of its processes too, and wait until none is left."""
        found = descendants.with_descendants([self.process.pid])
        for pid in found if everything else [self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)
        wait_until(lambda: not any(map(is_running, found)), what="the end of all processes")

    def children(self):
        """Return the children that carry executions out: those of the fork server, which a guardian has started."""
        found = [self.process.pid]
        for _ in range(3):
            found = [child for parent in found for child in descendants.children(parent)]
        return found

    def kill_child(self):
        """Kill the child of an execution, if there is one."""
        for pid in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self):
        """End it and its processes."""
        end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def start(engine):
    """Return a function that starts a worker."""
    made = []

    def start(**options):
        made.append(Worker(engine, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


def assert_ended_once(engine, id_, queued, names):
    """Assert that an execution has delivered each file once, and was one transfer with one end."""
    assert engine.execution(queued.id).error == ""
    assert sorted(engine.ledger()) == sorted(names)
    assert engine.outputs() == sorted(names)
    found = engine.events("transfer")
    assert {one.transfer_id for one in found} == {queued.transfer_id}
    assert [sum(isinstance(one, kind) for one in found) for kind in (TransferStarted, TransferEnded)] == [1, 1]
    assert [one.change for one in engine.events("task")] == ["started", "ended"]
    assert (engine.stored(id_).exec_count, engine.stored(id_).error_count) == (1, 0)


@pytest.mark.parametrize("what", ["child", "worker", "everything"])
def test_88_an_execution_goes_on_under_its_transfer_id_after_a_kill(engine, start, what):
    """Item 88: whatever is killed, the execution is taken up by itself within 15 s of the restart, and ends once."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a", "b", "c")
    worker = start()
    engine.go("a")
    engine.waits("b")
    if what == "child":
        worker.kill_child()
    else:
        worker.kill(everything=what == "everything")
        start()
    wait_until(lambda: engine.execution(queued.id).attempts == 2, within=15, what="the execution to be taken up")
    engine.go("b", "c")
    engine.ended(queued)
    assert_ended_once(engine, id_, queued, ["a", "b", "c"])


def test_88_kills_at_many_moments_deliver_each_file_once(engine, start):
    """Item 88: also where a process dies between a commit and the report of it."""
    chance = random.Random(88)
    names = [f"f{number:02d}" for number in range(12)]
    id_ = engine.task(parameters=engine.gate)
    engine.go(*names)
    worker = start()
    queued = engine.queue(id_, *names)
    for committed in range(0, 12, 2):
        wait_until(lambda least=committed: len(engine.ledger()) > least, what="the next commits")
        wait_until(lambda: chance.random() < 0.2)
        if chance.random() < 0.5:
            worker.kill_child()
        else:
            worker.kill(everything=chance.random() < 0.5)
            worker = start()
    engine.ended(queued)
    assert_ended_once(engine, id_, queued, names)


def test_88_a_child_that_dies_again_and_again_ends_the_execution(engine):
    """Item 88: a file that kills each process is no endless loop; the others before it were delivered."""
    id_ = engine.task()
    queued = engine.queue(id_, "a", "crash")

    def later():
        engine.now += 100
        return engine.execution(queued.id).status

    with engine.worker():
        wait_until(lambda: later() == "over", within=60, what="the end of the execution")
        wait_until(lambda: engine.outputs() == ["a"], what="the unfinished file to be removed")
    found = engine.execution(queued.id)
    assert found.error == "the process of the execution was killed by SIGKILL"
    assert (found.attempts, engine.stored(id_).retry_at is None) == (11, False)
    assert engine.remembered(id_, "a", "crash") == ["a"]
    (ended,) = engine.events("transfer.ended")
    assert (ended.state, ended.transfer_id) == ("partiallySuccessful", queued.transfer_id)


def test_an_error_of_a_child_ends_the_execution_at_once(engine):
    """An internal error is no reason to try the same again at once, and shows without its text."""
    id_ = engine.task()
    queued = engine.queue(id_, "raise")
    with engine.worker():
        found = engine.ended(queued)
    assert (found.error, found.attempts) == ("An internal error ended the execution (ValueError).", 1)


def test_88_a_worker_that_stops_hands_its_executions_to_the_next(engine):
    """A worker's own end is no end of an execution: the next one goes on, with the same id and without a count."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a", "b")
    with engine.worker():
        engine.go("a")
        engine.waits("b")
    assert engine.execution(queued.id).status == "queued"
    engine.go("b")
    with engine.worker():
        engine.ended(queued)
    assert_ended_once(engine, id_, queued, ["a", "b"])


@pytest.mark.parametrize(
    ("values", "error", "names"),
    [
        pytest.param({"running": False, "epoch": 1, "reason": "agent shutdown"}, "ended by agent shutdown", ["a"]),
        pytest.param({"enabled": False}, "", ["a"]),
    ],
    ids=["shut-down", "disabled"],
)
def test_73_88_an_execution_that_was_cut_off_ends_where_the_agent_has_stopped_meanwhile(engine, values, error, names):
    """Items 73 and 88: what the dead worker left is ended as the running execution would have been."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a", "b")
    with engine.worker():
        engine.go("a")
        engine.waits("b")
    engine.change_agent(**values)
    with engine.worker():
        found = engine.ended(queued)
        wait_until(lambda: engine.outputs() == names, what="the unfinished file to be removed")
    assert found.error == error
    assert engine.remembered(id_, "a", "b") == ["a"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_80_88_a_worker_that_was_frozen_past_its_lease_writes_nothing_more(engine, start):
    """Items 80 and 88: another worker takes the execution over, and the first one's child may not commit then."""
    id_ = engine.task(parameters=engine.gate)
    queued = engine.queue(id_, "a", "b")
    frozen = start()
    engine.waits("a")
    frozen.process.send_signal(signal.SIGSTOP)
    start()
    wait_until(lambda: engine.execution(queued.id).attempts == 2, within=15, what="the other worker to take over")
    # Both children are at the same file now; only that of the second worker may commit it.
    engine.go("a")
    engine.waits("b")
    frozen.process.send_signal(signal.SIGCONT)
    wait_until(lambda: not frozen.children(), what="the end of the child that has lost its execution")
    engine.go("b")
    engine.ended(queued)
    assert_ended_once(engine, id_, queued, ["a", "b"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_80_two_workers_never_run_two_executions_of_one_task(engine, start):
    """Item 80: ten executions of one task and two workers, one at a time, in the order of the queue."""
    id_ = engine.task(parameters=engine.gate)
    names = [f"f{number}" for number in range(10)]
    engine.go(*names)
    queued = [engine.queue(id_, name) for name in names]
    start(), start()
    for one in queued:
        engine.ended(one)
    assert engine.ledger() == names
    changes = [one.change for one in engine.events("task")]
    assert changes == ["started", "ended"] * 10
