"""Jobs that begin by the clock: cron over daylight saving, missed times, several workers, and crashes (37, 66, E17)."""

import json
import signal
import subprocess
import sys
import textwrap
import threading
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from diplomat_svc.store.tables import WORKERS
from mft_common.events import LocalBus
from mft_common.process.background_tasks import start_tasks
from mft_common.schedules import timers_task
from tests.servers.processes import wait_until

ZONE = ZoneInfo("Europe/Amsterdam")
DAILY = {"cron": "0 6 * * *", "time_zone": "Europe/Amsterdam"}
DAY = 86_400_000


def at(*parts):
    """Return a local time of Amsterdam in milliseconds."""
    return int(datetime(*parts, tzinfo=ZONE).timestamp() * 1000)


@pytest.fixture
def now():
    """Return the clock of the hub as a list of one number, which tests set."""
    return [at(2026, 3, 2, 5, 0)]


@pytest.fixture
def scheduled(hub, transaction, now):
    """Return a function that builds a hub of scheduled transactions, whose clock is `now`."""

    def make(*given, **options):
        moves = [transaction(name, schedule=schedule, **more) for name, schedule, more in given]
        return hub(*moves, clock=lambda: now[0], **options).log_in()

    return make


def fire(made):
    """Fire what is due, as the worker's task does."""
    return made.service.timers().step()


def jobs(made):
    """Return status, completion and the first log record of each job, in order."""
    rows = made.rows("SELECT sequence, status, completion FROM jobs ORDER BY sequence")
    texts = made.rows("SELECT subject, text FROM job_log ORDER BY id DESC")
    first = {row.subject: row.text for row in texts}
    return [(row.status, row.completion, first[str(row.sequence)]) for row in rows]


def test_the_state_of_the_schedule_is_told_66(scheduled):
    """`Scheduled` by a cron expression, `3rd Party Scheduler`, and `Not Scheduled` also where it is switched off."""
    made = scheduled(
        ("cron", DAILY, {}), ("other", "third-party", {}), ("none", "none", {}), ("off", DAILY, {"enabled": False})
    )
    states = {name: made.status(name).findtext("transactionState") for name in ("cron", "other", "none", "off")}
    assert states == {
        "cron": "Scheduled",
        "other": "3rd Party Scheduler",
        "none": "Not Scheduled",
        "off": "Not Scheduled",
    }
    assert [row.key for row in made.rows("SELECT key FROM timer")] == ["transaction/1"]


def test_what_nothing_schedules_and_what_others_schedule_runs_by_request_37(scheduled):
    """A transaction without a schedule, and one of a third-party scheduler, run by runNow."""
    made = scheduled(("other", "third-party", {}), ("none", None, {}))
    (made.data / "from" / "f").write_bytes(b"x")
    with made.work():
        for name in ("other", "none"):
            made.run(name)
            assert made.finished(name).findtext("completionStatus") == "Successful"


def test_a_job_begins_at_each_time_and_tells_the_next_one_67(scheduled, now):
    """It is scheduled once; `nextScheduled` stands behind `completion`, in the record of the most recent job alone."""
    made = scheduled(("cron", DAILY, {}))
    (made.data / "from" / "f").write_bytes(b"x")
    assert fire(made) == 0
    with made.work():
        for day in (2, 3):
            now[0] = at(2026, 3, day, 6, 0)
            assert (fire(made), fire(made)) == (1, 0)
            job = made.finished("cron")
            assert job.findtext("completionStatus") == "Successful"
            assert job.findtext("nextScheduled") == str(at(2026, 3, day + 1, 6, 0))
    tags = [child.tag for child in job]
    assert tags[tags.index("completion") + 1 :] == ["nextScheduled", "fileHistory"]
    newest, first = made.call("jobHistories", ("transactionName", "cron")).root.iter("jobHistory")
    assert newest.findtext("nextScheduled") == str(at(2026, 3, 4, 6, 0))
    assert first.find("nextScheduled") is None
    assert jobs(made)[0][2].endswith("Scheduled for March 2, 2026 6:00:00 AM CET.")
    assert {row.account for row in made.rows("SELECT account FROM jobs")} == {"system"}


@pytest.mark.parametrize(
    ("cron", "day", "expected"),
    [
        ("30 2 * * *", (2026, 3, 29), ["March 29, 2026 3:00:00 AM CEST"]),
        ("30 2 * * *", (2026, 10, 25), ["October 25, 2026 2:30:00 AM CEST"]),
        ("*/30 * * * *", (2026, 3, 29), 46),
        ("*/30 * * * *", (2026, 10, 25), 50),
    ],
)
def test_the_days_on_which_the_clock_changes_b18(scheduled, now, cron, day, expected):
    """A skipped time runs at the next instant, a doubled one once; every half an hour is every half an hour."""
    now[0] = at(*day) - 1000
    made = scheduled(("cron", {"cron": cron, "time_zone": "Europe/Amsterdam"}, {}))
    end = at(*day, 23, 50)
    while now[0] < end:
        now[0] += 600_000 if now[0] % 600_000 == 0 else 1000
        fire(made)
    texts = [text for *_, text in jobs(made)]
    if isinstance(expected, int):
        assert len(texts) == expected
    else:
        assert [text.partition("Scheduled for ")[2].rstrip(".") for text in texts] == expected


@pytest.mark.parametrize(
    ("more", "catch_up", "expected"),
    [
        ({"fail_if_not_found": True}, False, [("Complete", "Missed")]),
        ({"fail_if_not_found": True}, True, [("Queued", None)]),
        ({}, True, [("Queued", None)]),
        ({}, False, []),
    ],
)
def test_a_worker_that_was_away_for_three_times_e17_79(scheduled, now, more, catch_up, expected):
    """One `Missed` record for the last of them, or one job instead, or nothing where no file is required."""
    made = scheduled(("cron", {**DAILY, "catch_up": catch_up}, more))
    before = int(made.call("transactionStatuses").text("monitorTime"))
    now[0] += 3 * DAY
    fire(made)
    found = jobs(made)
    assert [one[:2] for one in found] == expected
    assert all(text.endswith("Scheduled for March 4, 2026 6:00:00 AM CET.") for *_, text in found)
    changed = made.call("transactionStatuses", ("since", str(before))).root
    assert len(list(changed.iter("jobHistory"))) == len(expected)
    if expected == [("Complete", "Missed")]:
        assert changed.findtext(".//completionStatus") == "Missed"
        assert changed.find("transactionStatusSummary[@row='2'][@column='1']").get("value") == "1"
        types = [row.type for row in made.rows("SELECT type FROM outbox ORDER BY id")]
        assert types.count("transfer.started.v1") == types.count("transfer.ended.v1") == 1
    now[0] = at(2026, 3, 5, 6, 0)
    fire(made)
    assert jobs(made)[-1][:2] == ("Queued", None), "the next time is one as ever"


def test_a_time_whose_queue_is_full_does_not_vanish(scheduled, now):
    """It ends at once, as a queued job that is lost: the history tells of every time that came."""
    limits = {"jobs": {"queue_limit": 1}}
    made = scheduled(("a", DAILY, {}), ("b", DAILY, {"fail_if_not_found": True}), diplomat=limits)
    for day in (2, 3):
        now[0] = at(2026, 3, day, 6, 0)
        fire(made)
    rows = made.rows("SELECT transaction_id, completion FROM jobs ORDER BY sequence")
    assert [tuple(row) for row in rows] == [(1, None), (2, None), (1, "Incomplete"), (2, "Missed")]
    assert made.rows("SELECT 1 FROM job_log WHERE text LIKE '%The queue of the transaction is full.%'")


def test_two_workers_fire_each_time_once(scheduled, now):
    """Two processes' timers on one database, and twenty times that both see come."""
    given = ("cron", {"cron": "*/10 * * * *"}, {})
    services = [scheduled(given).service for _ in range(2)]
    made = scheduled(given)
    stop = threading.Event()
    tasks = [timers_task("timers", one.timers(), poll=0.01) for one in services]
    threads = [threading.Thread(target=task.run, args=(stop,)) for task in tasks]
    for thread in threads:
        thread.start()
    for number in range(1, 21):
        now[0] += 600_000
        wait_until(lambda n=number: made.rows("SELECT count(*) AS n FROM jobs")[0].n >= n)
    stop.set()
    for thread in threads:
        thread.join()
    assert fire(made) == 0
    texts = [text for *_, text in jobs(made)]
    assert len(texts) == len(set(texts)) == 20


PROGRAM = textwrap.dedent("""
    import json, os, signal, sys
    from diplomat_svc.bootstrap import build
    from diplomat_svc.settings import Settings
    now = int(sys.argv[3])
    service = build(
        Settings(data=sys.argv[1]), directory=object(), config=json.loads(sys.argv[2]), clock=lambda: now
    )
    timers = service.timers()
    fire = timers.callback
    def die(connection, firing):
        fire(connection, firing)
        assert connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar() == 1
        os.kill(os.getpid(), signal.SIGKILL)
    timers.callback = die
    timers.step()
""")


def test_a_kill_between_firing_and_scheduling_neither_loses_nor_doubles_the_job(scheduled, transaction, now):
    """The job's row and the timer's next time are one transaction: the next worker begins from the same state."""
    made = scheduled(("cron", DAILY, {}))
    config = {"transactions": [transaction("cron", schedule=DAILY)], "diplomat": {"display_name": "dock-1"}}
    now[0] = at(2026, 3, 2, 6, 0)
    arguments = [sys.executable, "-c", PROGRAM, str(made.data), json.dumps(config), str(now[0])]
    assert subprocess.run(arguments, check=False, timeout=60).returncode == -signal.SIGKILL
    assert jobs(made) == []
    assert (fire(made), fire(made)) == (1, 0)
    assert len(jobs(made)) == 1


def test_a_job_that_catches_up_is_not_taken_for_one_that_the_dead_worker_left_e15_e17(scheduled, now):
    """The timers and the consumers of a worker begin once it has ended the jobs that waited when all were killed."""
    made = scheduled(("cron", {**DAILY, "catch_up": True}, {}))
    (made.data / "from" / "f").write_bytes(b"x")
    made.run("cron")
    with made.service.database.write() as connection:
        WORKERS.sign_in(connection, "dead", 60)
    now[0] += 3 * DAY
    stop = threading.Event()
    bus = LocalBus({"diplomat-svc": made.service.database})
    threads = start_tasks(made.service.background_tasks(bus), stop)
    try:
        wait_until(lambda: [one[1] for one in jobs(made)] == ["Incomplete", "Successful"])
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def test_a_change_of_the_schedule_is_a_change_of_the_transaction_a40(scheduled, now):
    """Its next time moves with it, in the transaction that applies the configuration; the same one changes nothing."""
    made = scheduled(("cron", DAILY, {}))

    def changed_by(schedule, **more):
        before = int(made.call("transactionStatuses").text("monitorTime"))
        now[0] += 1000
        scheduled(("cron", schedule, more))
        root = made.call("transactionStatuses", ("since", str(before))).root
        due = [row.due_at for row in made.rows("SELECT due_at FROM timer")]
        return [one.text for one in root.iter("transactionState")], due

    six, seven = at(2026, 3, 2, 6, 0), at(2026, 3, 2, 7, 0)
    assert changed_by(DAILY) == ([], [six])
    assert changed_by({**DAILY, "cron": "0 7 * * *"}) == (["Scheduled"], [seven])
    assert changed_by("third-party") == (["3rd Party Scheduler"], [])
    assert changed_by(DAILY) == (["Scheduled"], [six])
    assert changed_by(DAILY, enabled=False) == (["Not Scheduled"], [])


def test_an_active_job_of_a_removed_transaction_ends_first(hub, transaction, now):
    """Its timer is gone with it; the job that ran, and the one that waited, end as they would have."""
    move = transaction("cron", schedule=DAILY, bandwidth="64KiB/s")
    made = hub(move, clock=lambda: now[0]).log_in()
    (made.data / "from" / "f").write_bytes(b"x" * 60_000)
    now[0] = at(2026, 3, 2, 6, 0)
    with made.work():
        fire(made)
        made.run("cron")
        wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE status = 'Running'"))
        hub(clock=lambda: now[0])
        assert made.rows("SELECT * FROM timer") == []
        now[0] += DAY
        assert fire(made) == 0
        wait_until(lambda: {row.status for row in made.rows("SELECT status FROM jobs")} == {"Complete"})
    assert [one[1] for one in jobs(made)] == ["Successful"] * 2
    assert len(list(made.call("jobHistories", ("transactionName", "cron")).root.iter("jobHistory"))) == 2


def test_apply_does_not_change_a_job_that_is_scheduled_already_e1(scheduled, now):
    """A job of a schedule keeps the definition of its moment, also when the transaction is switched off later."""
    made = scheduled(("cron", DAILY, {}))
    (made.data / "from" / "f").write_bytes(b"x")
    now[0] = at(2026, 3, 2, 6, 0)
    fire(made)
    scheduled(("cron", DAILY, {"enabled": False, "destination": {"url": "file:elsewhere"}}))
    with made.work():
        assert made.finished("cron").findtext("completionStatus") == "Successful"
    assert (made.data / "to" / "f").exists()
