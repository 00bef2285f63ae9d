"""Jobs that are delayed, aborting, or stopped for want of a licence, and what requests make of them (69, 70, A34)."""

import json
import os
import signal

import pytest

from diplomat_svc.operations.scheduling import Scheduler
from diplomat_svc.schemas.requests import RunNow
from mft_common.identity import Identity
from tests.servers.processes import wait_until
from tests.service.diplomat_svc.worker_program import kill, start_worker

CALLER = Identity(request_id="r1", account="system", grant={}, label="crossdock/jo")
LAPSED = {"license": {"valid_until": "2026-03-01"}}
BEFORE, AFTER = 1_772_000_000_000, 1_773_000_000_000


def run_delayed(made, name, delay):
    """Schedule a job as `crossdock transaction run --delay` does."""
    operations = made.service.operations
    scheduler = Scheduler(operations.writer, operations.transfer_ids, 1000)
    request = RunNow(number=None, name=name, variables={})
    return scheduler.schedule(request, CALLER, by_api=False, delay=delay)


def rows(made):
    """Return sequence, status and completion of each job."""
    found = made.rows("SELECT sequence, status, completion FROM jobs ORDER BY sequence")
    return [tuple(row) for row in found]


def published(made):
    """Return the statuses of jobs in the order of their events."""
    events = made.rows("SELECT data FROM outbox WHERE type = 'job.changed.v1' ORDER BY position")
    return [json.loads(row.data)["status"] for row in events]


@pytest.fixture
def now():
    """Return the clock of the hub as a list of one number, which tests set."""
    return [BEFORE]


@pytest.fixture
def made(hub, transaction, now):
    """Return a hub with one transaction, which the API may run, and a file for it."""
    one = hub(transaction("move"), clock=lambda: now[0]).log_in()
    (one.data / "from" / "f").write_bytes(b"x")
    return one


def test_a_delayed_job_is_queued_after_its_delay_and_runs_then_69(made, now):
    """`Delayed`, `Queued`, `Running`, `Complete`, each with its event and a change for pollers."""
    timers = made.service.timers()
    job = run_delayed(made, "move", 10.0)
    shown = made.status("move").find("jobHistory")
    assert (shown.findtext("status"), shown.findtext("startTime")) == ("Delayed", str(job.scheduled_at))
    with made.work():
        now[0] += 9_900
        assert timers.step() == 0
        before = int(made.call("transactionStatuses").text("monitorTime"))
        now[0] += 200
        assert timers.step() == 1
        assert made.finished("move").findtext("completionStatus") == "Successful"
    assert made.call("transactionStatuses", ("since", str(before))).root.find("transactionStatus") is not None
    assert published(made) == ["Delayed", "Queued", "Running", "Complete"]


def test_a_delayed_job_holds_up_no_other_and_counts_in_the_queue_a32(hub, transaction, now):
    """A request meanwhile runs at once; the limit of the queue counts both kinds."""
    one = hub(transaction("move"), clock=lambda: now[0], diplomat={"jobs": {"queue_limit": 2}}).log_in()
    (one.data / "from" / "f").write_bytes(b"x")
    run_delayed(one, "move", 60.0)
    one.run("move")
    assert one.call("runNow", ("transactionName", "move")).status == 400
    with one.work():
        wait_until(lambda: rows(one)[1][1] == "Complete")
    assert rows(one) == [(1, "Delayed", None), (2, "Complete", "Successful")]


@pytest.mark.parametrize(("word", "end"), [("cancel", "Cancelled"), ("terminate", "Terminated")])
def test_a_request_to_stop_takes_the_job_that_would_run_next_a33_a34(made, now, word, end):
    """The queued one before delayed ones, of which the first that is due; the timer of a stopped one does nothing."""
    run_delayed(made, "move", 60.0)
    run_delayed(made, "move", 30.0)
    made.run("move")
    for expected in (3, 2, 1):
        assert made.call(word, ("transactionName", "move")).status == 200
        assert {row[0] for row in rows(made) if row[1] == "Complete"} == set(range(expected, 4))
    assert made.call(word, ("transactionName", "move")).status == 400
    assert {row[2] for row in rows(made)} == {end}
    assert made.status("move").findtext("jobHistory/sequence") == f"{3:016d}", "the most recent one (A33)"
    now[0] += 61_000
    assert made.service.timers().step() == 2
    assert {row[1] for row in rows(made)} == {"Complete"}


def test_a_delayed_job_outlives_a_clean_stop_and_is_queued_late_e11(made, now):
    """Its time came while no worker ran: it is queued at the next start."""
    with made.work():
        run_delayed(made, "move", 60.0)
    now[0] += 3_600_000
    assert rows(made) == [(1, "Delayed", None)]
    with made.work():
        assert made.service.timers().step() == 1
        assert made.finished("move").findtext("completionStatus") == "Successful"


@pytest.mark.parametrize(("strict", "end"), [(True, "Missed"), (False, "Incomplete")])
def test_a_delayed_job_ends_when_everything_was_killed_e15(hub, transaction, strict, end):
    """`Missed` where files were required; its timer, when it comes, queues it no more."""
    move = transaction("move", fail_if_not_found=strict)
    made = hub(move).log_in()
    made.config = {"transactions": [move]}
    worker = start_worker(made)
    wait_until(lambda: made.rows("SELECT 1 FROM leases WHERE owner <> ''"))
    run_delayed(made, "move", 0.2)
    kill(worker)
    with made.work():
        wait_until(lambda: rows(made) == [(1, "Complete", end)])
        wait_until(lambda: made.service.timers().step() == 1)
    assert rows(made) == [(1, "Complete", end)]


def test_a_job_aborts_while_what_its_dead_process_left_is_removed_69_e10(hub, transaction, runner):
    """The status is `Aborting` between the death of the process and the end, which is `Failure`."""
    made = hub(transaction("move", bandwidth="64KiB/s")).log_in()
    (made.data / "from" / "f").write_bytes(bytes(1 << 20))
    with made.work():
        made.run("move")
        wait_until(lambda: list((made.data / "to").glob(".f.*.part")))
        os.kill(wait_until(lambda: next((one.pid for one in list(runner._handles) if one.pid), 0)), signal.SIGKILL)
        assert made.finished("move").findtext("completionStatus") == "Failure"
    assert published(made) == ["Queued", "Running", "Aborting", "Complete"]
    assert list((made.data / "to").iterdir()) == []


@pytest.mark.parametrize("start", ["schedule", "command"])
def test_a_job_without_a_valid_licence_is_a_preview_70_e30(hub, transaction, now, start):
    """A schedule's job and one of the command are stopped before they move anything; the cell is that of warnings."""
    now[0] = AFTER
    move = transaction("move", schedule={"cron": "* * * * *"})
    made = hub(move, clock=lambda: now[0], diplomat=LAPSED)
    (made.data / "from" / "f").write_bytes(b"x")
    if start == "schedule":
        now[0] += 60_000
        assert made.service.timers().step() == 1
    else:
        run_delayed(made, "move", 0.0)
    with made.work():
        wait_until(lambda: rows(made) == [(1, "Complete", "Preview License")])
    assert list((made.data / "to").iterdir()) == []
    assert made.rows("SELECT 1 FROM job_log WHERE text LIKE '%There is no valid licence.%'")
    assert made.rows("SELECT last_completion FROM transactions")[0].last_completion == "Preview License"
    ended = made.rows("SELECT data FROM outbox WHERE type = 'transfer.ended.v1'")
    assert len(ended) == 1
    assert "failed" in ended[0].data


def test_a_licence_that_lapses_while_a_job_waits_stops_it_70_15(hub, transaction, now):
    """The requests of the API are 501 from then on, and the job that one had scheduled does not run."""
    made = hub(transaction("move"), clock=lambda: now[0], diplomat=LAPSED).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    made.run("move")
    now[0] = AFTER
    assert made.call("runNow", ("transactionName", "move")).status == 501
    with made.work():
        wait_until(lambda: rows(made) == [(1, "Complete", "Preview License")])


def test_a_licence_that_is_renewed_lets_the_next_jobs_run_70(hub, transaction, now):
    """The worker reads the licence that was applied last, when it takes a job."""
    now[0] = AFTER
    move = transaction("move")
    made = hub(move, clock=lambda: now[0], diplomat=LAPSED)
    (made.data / "from" / "f").write_bytes(b"x")
    with made.work():
        run_delayed(made, "move", 0.0)
        wait_until(lambda: rows(made) == [(1, "Complete", "Preview License")])
        hub(move, clock=lambda: now[0])
        run_delayed(made, "move", 0.0)
        wait_until(lambda: rows(made)[1:] == [(2, "Complete", "Successful")])


def test_only_a_request_of_the_api_asks_whether_the_transaction_allows_it_36(hub, transaction, now):
    """The command and the schedule start jobs of a transaction that is closed to the API; the API does not."""
    move = transaction("move", api_allowed=False, schedule={"cron": "* * * * *"})
    made = hub(move, clock=lambda: now[0]).log_in()
    assert made.call("runNow", ("transactionName", "move")).status == 400
    run_delayed(made, "move", 0.0)
    now[0] += 60_000
    assert made.service.timers().step() == 1
    assert rows(made) == [(1, "Queued", None), (2, "Queued", None)]
