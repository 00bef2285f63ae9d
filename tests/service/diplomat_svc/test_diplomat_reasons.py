"""Why jobs ended as they did: each completion status by its real cause, and everywhere that an end is told (E30)."""

import json
import os
import signal

import pytest
from structlog.testing import capture_logs

from mft_common.events.backlog import OUTBOX
from tests.servers.diplomat_jobs import dock, log
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until
from tests.service.diplomat_svc.worker_program import kill, start_worker

HOOK = [{"on": ["*"], "webhook": "http://127.0.0.1:9/in", "secret": {"env": "HOOK_SECRET"}}]
ENVIRON = {"HOOK_SECRET": secret("secret-of-reasons")}
NO_RETRIES = {"file": 0, "file_delay": "10ms"}


@pytest.fixture
def made_of(hub, transaction):
    """Return a function that makes a hub of a transaction `one`, which notifies of every end."""

    def make(files=None, *, diplomat=None, clock=None, **more):
        one = transaction("one", **{"notify": HOOK, "retries": NO_RETRIES, **more})
        options = {"clock": clock} if clock is not None else {}
        made = dock(hub, files or {}, one, diplomat=diplomat, environ=ENVIRON, **options)
        made.config = {"transactions": [transaction("one", **{"retries": NO_RETRIES, **more})]}
        return made

    return make


def ended(made):
    """Run a job to its end; return its completion status and the reason of it."""
    with capture_logs() as lines, made.work():
        made.run("one")
        made.finished("one")
        (line,) = wait_until(lambda: [one for one in lines if one["event"] == "job.ended"], what="the line")
    completion, reason = end_of(made)
    assert (line["completion"], line["reason"]) == (completion, reason)
    return completion, reason


def end_of(made):
    """Return the completion status of the newest job and its reason, which is the same wherever it is told."""
    job = made.rows("SELECT transfer_id, definition, completion, reason FROM jobs ORDER BY sequence")[-1]
    told = f"ended: {job.completion}.{f' {job.reason}' if job.reason else ''}"
    assert [one for one in log(made) if " ended: " in one][-1].endswith(told)
    mine = f"type = 'transfer.ended.v1' AND subject = '{job.transfer_id}'"
    (event,) = made.rows(f"SELECT data FROM {OUTBOX.name} WHERE {mine}")
    silent = job.completion == "Successful"
    assert json.loads(event.data).get("description", "") == ("" if silent else job.reason)
    bodies = [json.loads(row.body)["data"] for row in made.rows("SELECT body FROM notification")]
    notified = [one["reason"] for one in bodies if one["transferId"] == job.transfer_id]
    assert notified == ([job.reason] if "webhook" in job.definition else [])
    return job.completion, job.reason


def test_a_success_has_no_reason(made_of):
    """There is nothing to say."""
    made = made_of({"a": b"a"})
    assert ended(made) == ("Successful", "")
    assert len(made.rows("SELECT 1 FROM notification")) == 1


def test_a_warning_has_the_first_one_and_how_many_files_have_one(made_of):
    """An archive that cannot be written, and text whose size is out of the tolerance."""
    made = made_of({"a": b"a", "b": b"b"}, archive={"primary": {"url": "file:archive"}})
    (made.data / "archive").write_bytes(b"a file where a folder should be")
    completion, reason = ended(made)
    assert (completion, reason.startswith("2 file(s) with a warning; the first: After the delivery of ")) == (
        "Warning", True,
    )  # fmt: skip
    assert "the primary archive was not written: " in reason
    made = made_of({"a": b"\r\n" * 50}, mode="ascii")
    completion, reason = ended(made)
    text = "1 file(s) with a warning; the first: After the delivery of a: 50 bytes of text were made of 100"
    assert (completion, reason.startswith(text)) == ("Warning", True)


def test_a_warning_of_an_earlier_attempt_is_still_the_reason(made_of):
    """The second attempt delivers what failed, and has no warning of its own."""
    retries = {"file": 0, "job": 1, "job_delay": "2s"}
    made = made_of({"a": b"\r\n" * 50, "b": b"b" * 50}, mode="ascii", retries=retries)
    (made.data / "to" / "b").mkdir()
    with made.work():
        made.run("one")
        wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE attempt = 2"))
        (made.data / "to" / "b").rmdir()
        made.finished("one")
    completion, reason = end_of(made)
    assert (completion, "After the delivery of a: 50 bytes of text" in reason) == ("Warning", True)


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"source": {"files": ["none"]}}, ("File(s) not Found", "No file was found.")),
        ({"source": {"files": ["none"]}, "fail_if_not_found": True}, ("Failure", "No file was found.")),
        (
            {"source": {"required": ["b*"]}},
            ("Required File(s) Not Found", "The required file b* was not found; nothing was moved."),
        ),
        (
            {"source": {"required": ["b*"]}, "fail_if_not_found": True},
            ("Failure", "The required file b* was not found; nothing was moved."),
        ),
        ({"source": {"url": "file:nowhere"}}, ("Failure", "nowhere: the folder does not exist")),
    ],
)
def test_an_end_before_the_first_file_says_what_is_missing_71_72_75(made_of, more, end):
    """Nothing found, a required file missing, and a source that cannot be listed."""
    completion, reason = ended(made_of({"a": b"a"}, **more))
    assert (completion, end[1] in reason) == (end[0], True), reason


def test_an_endpoint_that_does_not_answer_is_the_reason_75(made_of):
    """No server listens there: the listing fails with the words of the error."""
    completion, reason = ended(made_of(source={"url": "http://127.0.0.1:9/a", "files": ["a"]}))
    assert (completion, reason.startswith("a: the server does not answer")) == ("Failure", True)


def test_a_file_that_failed_is_the_reason_75(made_of):
    """How many, and why the first one did."""
    made = made_of({"a": b"a"})
    (made.data / "to" / "a").mkdir()
    completion, reason = ended(made)
    assert (completion, reason.startswith("1 file(s) failed; the first: a: ")) == ("Failure", True)


def test_a_critical_end_says_why_the_record_was_not_written_76(made_of, tmp_path):
    """The audit database cannot be opened."""
    trail = {"audit": {"url": f"sqlite:///{tmp_path}/unmounted/trail.db", "critical": True}}
    completion, reason = ended(made_of({"a": b"a"}, diplomat=trail, delete_source=True))
    assert (completion, reason.startswith("No audit record was written: ")) == ("Critical", True)
    assert reason.endswith("; the sources stay.")


@pytest.mark.parametrize(("kind", "word"), [("cancel", "Cancelled"), ("terminate", "Terminated")])
def test_a_stop_says_by_whose_request_77(made_of, kind, word):
    """The label of the client that asked."""
    made = made_of({"a": bytes(1 << 20)}, bandwidth="50KiB/s")
    made.run("one")
    with made.work():
        wait_until(lambda: list((made.data / "to").glob("*.part")))
        assert made.call(kind, ("transactionName", "one")).status == 200
        made.finished("one")
    assert end_of(made) == (word, f"{kind.capitalize()} was requested by Jim.")


@pytest.mark.parametrize(("kind", "word"), [("cancel", "Cancelled"), ("terminate", "Terminated")])
def test_a_stop_of_a_job_that_waits_says_so_77(made_of, kind, word):
    """It ends at once, and had not begun."""
    made = made_of()
    made.run("one")
    assert made.call(kind, ("transactionName", "one")).status == 200
    assert end_of(made) == (word, f"{kind.capitalize()} was requested by Jim before it began.")


def test_an_incomplete_job_says_that_the_worker_stopped_or_died_78(made_of):
    """SIGTERM with no time left for jobs, and kill -9."""
    made = made_of({"a": bytes(1 << 20)}, bandwidth="50KiB/s", diplomat={"jobs": {"stop_grace": "0s"}})
    with made.work():
        made.run("one")
        wait_until(lambda: list((made.data / "to").glob("*.part")))
    assert end_of(made) == ("Incomplete", "The worker was stopped.")
    worker = start_worker(made)
    try:
        made.run("one")
        wait_until(lambda: made.rows("SELECT 1 FROM files WHERE sequence = 2"))
    finally:
        kill(worker)
    with made.work():
        made.ready()
    assert end_of(made) == ("Incomplete", "The service stopped.")


def test_a_child_that_died_names_the_signal_e10(made_of, runner):
    """The job's process was killed by nobody of ours."""
    made = made_of({"a": bytes(1 << 20)}, bandwidth="50KiB/s")
    with made.work():
        made.run("one")
        wait_until(lambda: list((made.data / "to").glob("*.part")))
        os.kill(wait_until(lambda: next((one.pid for one in list(runner._handles) if one.pid), 0)), signal.SIGKILL)
        made.finished("one")
    assert end_of(made) == ("Failure", "The process of the job was killed by SIGKILL.")


def test_a_missed_job_names_its_cause_79(made_of):
    """It waited when the service died; a scheduled time passed while no worker ran; its queue was full."""
    now = [1_772_582_400_000]
    schedule = {"cron": "0 6 * * *", "time_zone": "UTC"}
    limit = {"jobs": {"queue_limit": 1}}
    made = made_of(schedule=schedule, fail_if_not_found=True, clock=lambda: now[0], diplomat=limit)
    made.service.timers().step()
    now[0] += 3 * 86_400_000
    made.service.timers().step()
    assert end_of(made) == ("Missed", "No worker ran at March 6, 2026 6:00:00 AM UTC.")
    made.run("one")
    now[0] = 1_772_841_600_000 + 6 * 3_600_000
    made.service.timers().step()
    assert end_of(made) == ("Missed", "The queue of the transaction is full.")


def test_a_job_that_waited_when_the_service_died_is_missed_79(made_of):
    """Both jobs end at the next start: the one that ran Incomplete, the one that waited Missed."""
    made = made_of({"a": bytes(1 << 20)}, bandwidth="50KiB/s", fail_if_not_found=True)
    worker = start_worker(made)
    try:
        made.run("one")
        made.run("one")
        wait_until(lambda: list((made.data / "to").glob("*.part")))
    finally:
        kill(worker)
    with made.work():
        made.ready()
    assert end_of(made) == ("Missed", "The service stopped.")


def test_a_preview_names_the_licence_70(made_of):
    """It lapsed while the job waited."""
    now = [1_772_300_000_000]
    made = made_of({"a": b"a"}, clock=lambda: now[0], diplomat={"license": {"valid_until": "2026-03-01"}})
    made.run("one")
    now[0] += 10 * 86_400_000
    with made.work():
        wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE status = 'Complete'"))
    assert end_of(made) == ("Preview License", "There is no valid licence.")
