"""A worker that is killed: recovery at the next start, with real processes (E14, E15, E18, E19)."""

import collections
import contextlib
import os
import random
import signal
import time

import pytest

from mft_common.process.descendants import with_descendants
from tests.servers.processes import is_running, wait_until
from tests.service.diplomat_svc.worker_program import kill, start_worker

SEED = 80


@pytest.fixture
def dock(hub, transaction):
    """A hub with a slow, a quick and a strict transaction, and its configuration as a worker process reads it."""
    slow = {"files": ["slow.bin"]}
    definitions = [
        transaction("slow", source=slow, bandwidth="50KiB/s"),
        transaction("quick", source={"files": ["q*"]}, delete_source=True),
        transaction("strict", source=slow, bandwidth="50KiB/s", fail_if_not_found=True),
    ]
    made = hub(*definitions).log_in()
    (made.data / "from" / "slow.bin").write_bytes(bytes(1 << 20))
    made.config = {"diplomat": {"display_name": "dock-1"}, "transactions": definitions}
    return made


def test_after_kill_9_running_jobs_are_incomplete_and_queued_ones_missed_or_incomplete_e15(dock):
    """Running ends Incomplete (78), queued Missed (79) or Incomplete; leftovers go, and `since` shows all of it."""
    child = start_worker(dock)
    dock.run("slow")
    dock.run("strict")
    wait_until(lambda: len(list((dock.data / "to").glob(".slow.bin.*.part"))) == 2)
    dock.run("strict")
    dock.run("slow")
    before = int(dock.call("transactionStatuses").text("monitorTime"))
    kill(child)
    assert dock.client.get("/readyz").status_code == 503
    with dock.work():
        dock.ready()
        answer = dock.call("transactionStatuses", ("since", str(before)))
    assert [one.findtext("transactionName") for one in answer.root.iter("transactionStatus")] == ["slow", "strict"]
    rows = dock.rows("SELECT sequence, status, completion, ended_at FROM jobs ORDER BY sequence")
    assert [row.completion for row in rows] == ["Incomplete", "Incomplete", "Missed", "Incomplete"]
    assert {row.status for row in rows} == {"Complete"}
    assert all(row.ended_at >= before for row in rows)
    assert list((dock.data / "to").iterdir()) == []
    assert (dock.data / "from" / "slow.bin").exists()
    ends = dock.rows("SELECT subject, count(*) AS n FROM outbox WHERE type = 'transfer.ended.v1' GROUP BY subject")
    assert [row.n for row in ends] == [1, 1, 1, 1]


def _strike(victim, worker, chance):
    """Kill the worker, its whole process group, or one process that runs a job, if one does at that moment."""
    tree = with_descendants([worker.pid])
    if victim == "worker":
        worker.kill()
    elif victim == "group":
        os.killpg(worker.pid, signal.SIGKILL)
    elif children := tree[2:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(children), signal.SIGKILL)
    return tree


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_many_kills_at_seeded_instants_end_every_job_once_e9_e18_e19_e27(dock, rounds):
    """A child, the worker or everything is killed amid jobs: each job ends once, files are whole, no process is left.

    Each round replaces one file, so that a reader finds its former or its new content whole, and delivers new ones.
    """
    chance = random.Random(SEED)
    accepted, replaced = 0, {bytes([round_]) * 300_000 for round_ in range(rounds)}
    for round_ in range(rounds):
        victim = ("worker", "group", "child")[round_ % 3]
        child = start_worker(dock)
        if chance.random() < 0.8:
            dock.ready()
        for number in range(4):
            (dock.data / "from" / f"q{round_}-{number}").write_bytes(bytes([number]) * 200_000)
        (dock.data / "from" / "qsame").write_bytes(bytes([round_]) * 300_000)
        for _ in range(3):
            dock.run("quick")
            accepted += 1
        deadline = time.monotonic() + chance.uniform(0.0, 0.3)
        wait_until(lambda at=deadline: time.monotonic() >= at)
        tree = _strike(victim, child, chance)
        if victim == "child":
            # The worker goes on, and ends the others as if nothing had happened.
            wait_until(lambda: not dock.rows("SELECT 1 FROM jobs WHERE status <> 'Complete'"))
            tree = with_descendants([child.pid])
        kill(child)
        wait_until(lambda pids=tree: not any(is_running(pid) for pid in pids), within=5)
        same = dock.data / "to" / "qsame"
        assert not same.exists() or same.read_bytes() in replaced
    with dock.work():
        dock.ready()
    rows = dock.rows("SELECT sequence, status, completion FROM jobs ORDER BY sequence")
    assert [row.sequence for row in rows] == list(range(1, accepted + 1))
    assert {row.status for row in rows} == {"Complete"}
    assert {row.completion for row in rows} <= {"Successful", "Incomplete", "File(s) not Found", "Failure"}
    print(collections.Counter(row.completion for row in rows))
    ends = dock.rows("SELECT count(*) AS n FROM outbox WHERE type = 'transfer.ended.v1'")
    assert ends[0].n == accepted
    delivered = {path.name: path.read_bytes() for path in (dock.data / "to").iterdir()}
    assert delivered.pop("qsame", bytes(300_000)) in replaced
    assert all(content == bytes([int(name[-1])]) * 200_000 for name, content in delivered.items())
    left = {path.name for path in (dock.data / "from").glob("q*-*")}
    assert left | set(delivered) == {f"q{round_}-{number}" for round_ in range(rounds) for number in range(4)}


def test_a_job_accepted_while_no_worker_runs_runs_at_the_next_start(dock):
    """A worker that signs out leaves the queue, and a job accepted without a worker waits for one."""
    (dock.data / "from" / "q").write_bytes(b"x")
    with dock.work():
        dock.ready()
    dock.run("quick")
    with dock.work():
        assert dock.finished("quick").findtext("completionStatus") == "Successful"
