"""A worker that is killed: recovery at the next start, with real processes (E14, E15, E18, E19)."""

import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

SEED = 80
PROGRAM = textwrap.dedent("""
    import json, os, sys, threading
    from diplomat_svc.bootstrap import build, new_runner
    from diplomat_svc.settings import Settings
    settings = Settings(data=sys.argv[1])
    runner = new_runner(settings, os.environ).start()
    service = build(settings, directory=object(), config=json.loads(sys.argv[2]), runner=runner)
    print("ready", flush=True)
    service.dispatcher().run(threading.Event())
""")


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


def _worker(made):
    import json

    arguments = [sys.executable, "-c", PROGRAM, str(made.data), json.dumps(made.config)]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    child.stdout.readline()
    return child


def _kill(child):
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()


def _until(condition, timeout=20.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_after_kill_9_running_jobs_are_incomplete_and_queued_ones_missed_or_incomplete_e15(dock):
    """Running ends Incomplete, queued Missed or Incomplete; leftovers go, and `since` shows all of it."""
    child = _worker(dock)
    dock.run("slow")
    dock.run("strict")
    _until(lambda: len(list((dock.data / "to").glob(".slow.bin.*.part"))) == 2)
    dock.run("strict")
    dock.run("slow")
    before = int(dock.call("transactionStatuses").text("monitorTime"))
    _kill(child)
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


def test_many_kills_at_seeded_instants_end_every_job_once_e9_e18_e19(dock):
    """After each kill every accepted job ends once, files are whole, and sources go only with a delivered file."""
    chance = random.Random(SEED)
    accepted = 0
    for round_ in range(6):
        child = _worker(dock)
        for number in range(6):
            (dock.data / "from" / f"q{round_}-{number}").write_bytes(bytes([number]) * 200_000)
            dock.run("quick")
            accepted += 1
        deadline = time.monotonic() + chance.uniform(0.0, 0.3)
        _until(lambda at=deadline: time.monotonic() >= at)
        _kill(child)
    with dock.work():
        dock.ready()
    rows = dock.rows("SELECT sequence, status, completion FROM jobs ORDER BY sequence")
    assert [row.sequence for row in rows] == list(range(1, accepted + 1))
    assert {row.status for row in rows} == {"Complete"}
    assert {row.completion for row in rows} <= {"Successful", "Incomplete", "File(s) not Found"}
    ends = dock.rows("SELECT count(*) AS n FROM outbox WHERE type = 'transfer.ended.v1'")
    assert ends[0].n == accepted
    delivered = {path.name: path.read_bytes() for path in (dock.data / "to").iterdir()}
    assert all(content == bytes([int(name[-1])]) * 200_000 for name, content in delivered.items())
    assert {path.name for path in (dock.data / "from").glob("q*")} | set(delivered) == {
        f"q{round_}-{number}" for round_ in range(6) for number in range(6)
    }


def test_a_job_accepted_while_no_worker_runs_runs_at_the_next_start(dock):
    """A worker that signs out leaves the queue, and a job accepted without a worker waits for one."""
    (dock.data / "from" / "q").write_bytes(b"x")
    with dock.work():
        dock.ready()
    dock.run("quick")
    with dock.work():
        assert dock.finished("quick").findtext("completionStatus") == "Successful"
