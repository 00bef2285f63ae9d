"""cancel and terminate: items 39 to 42 and readings A22, A26, A31, A34 and A35, through the application."""

import threading

import pytest
from prometheus_client import REGISTRY

from tests.servers.processes import wait_until
from tests.servers.stopwatch import Stopwatch
from tests.servers.web import Web

KINDS = [("cancel", "Cancelled", "Cancelling"), ("terminate", "Terminated", "Terminating")]


@pytest.fixture
def dock(hub, transaction):
    """A hub with one transaction and no worker."""
    return hub(transaction("one"), transaction("other")).log_in()


def _take(made):
    writer = made.service.operations.writer
    with made.service.database.write() as connection:
        return writer.take(connection, "worker")[0]


def _stop(made, kind, name="one"):
    answer = made.call(kind, ("transactionName", name))
    return answer.status


def _counted(state):
    """Return how many jobs have ended so in this process."""
    labels = {"service": "diplomat-svc", "kind": "job", "state": state}
    return REGISTRY.get_sample_value("mft_work_ended_total", labels) or 0


def _statuses(made):
    return [tuple(row) for row in made.rows("SELECT sequence, status, completion FROM jobs ORDER BY sequence")]


@pytest.mark.parametrize(("kind", "end", "status"), KINDS)
def test_an_answer_is_an_ok_response_alone_a4(dock, kind, end, status):
    """The answer holds the status alone, and the job that runs has the status of the request (41, 42)."""
    dock.run("one")
    _take(dock)
    answer = dock.call(kind, ("transactionID", "1"))
    assert (answer.status, answer.outline(), answer.root.attrib) == (
        200,
        ["statusCode"],
        {"responseType": "okResponse"},
    )
    assert dock.status("one").findtext("jobHistory/status") == status


@pytest.mark.parametrize(("kind", "end", "status"), KINDS)
def test_a_job_that_waits_ends_without_running_a34(dock, kind, end, status):
    """The one that would run next ends; it has an end, a log, an event and a count, and the next one waits on."""
    before = _counted(end)
    first, second = dock.run("one"), dock.run("one")
    assert first < second
    assert _stop(dock, kind) == 200
    assert _statuses(dock) == [(1, "Complete", end), (2, "Queued", None)]
    assert _counted(end) - before == 1
    assert dock.rows("SELECT count(*) FROM outbox WHERE type = 'transfer.ended.v1'")[0][0] == 1
    texts = [row[0] for row in dock.rows("SELECT text FROM job_log WHERE subject = '1' ORDER BY id")]
    assert texts[1] == f'Transaction "one"; {kind.capitalize()} requested. [Jim]'
    assert texts[2].endswith(f"{end}. {kind.capitalize()} was requested by Jim before it began.")


@pytest.mark.parametrize(("kind", "end", "status"), KINDS)
def test_the_active_job_comes_first_a34(dock, kind, end, status):
    """With one active job and one that waits, the active one is meant."""
    dock.run("one")
    dock.run("one")
    _take(dock)
    assert _stop(dock, kind) == 200
    assert [row[1] for row in _statuses(dock)] == [status, "Queued"]


def test_requests_repeated_a35(dock):
    """Terminate turns Cancelling into Terminating; every other repetition changes nothing and is 200."""
    dock.run("one")
    _take(dock)
    for kind, status in (
        ("cancel", "Cancelling"),
        ("cancel", "Cancelling"),
        ("terminate", "Terminating"),
        ("terminate", "Terminating"),
        ("cancel", "Terminating"),
    ):
        assert _stop(dock, kind) == 200
        assert _statuses(dock)[0][1] == status
    assert dock.rows("SELECT count(*) FROM outbox WHERE type = 'job.changed.v1'")[0][0] == 4
    with dock.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET status = 'Aborting'")
    assert [_stop(dock, "cancel"), _stop(dock, "terminate"), _statuses(dock)[0][1]] == [200, 200, "Aborting"]


@pytest.mark.parametrize("kind", ["cancel", "terminate"])
def test_what_cannot_be_stopped_is_400_39_40_a26_31(dock, kind):
    """No parameter, an unknown transaction, a wrong id beside a right name, no job, and a job that is over."""
    assert dock.call(kind).status == 400
    assert dock.call(kind, ("transactionName", "unknown")).status == 400
    dock.run("one")
    assert dock.call(kind, ("transactionName", "one"), ("transactionID", "99")).status == 400
    assert dock.call(kind, ("transactionName", "other")).status == 400
    assert _stop(dock, kind) == 200
    assert _stop(dock, kind) == 400


@pytest.mark.parametrize("kind", ["cancel", "terminate"])
def test_a_viewer_stops_nothing_a22(dock, kind):
    """A Viewer's request is 400, and so is that of an account which may not see the transaction."""
    dock.run("one")
    dock.log_in(user="Viewer")
    assert _stop(dock, kind) == 400
    dock.directory.grants["Some"] = {"transactions": ["other"]}
    dock.log_in(user="Some")
    assert _stop(dock, kind) == 400
    assert _statuses(dock) == [(1, "Queued", None)]


def test_every_change_is_one_for_pollers_a40(dock):
    """A request shows after the last monitorTime, once."""
    dock.run("one")
    _take(dock)
    last = dock.call("transactionStatuses").text("monitorTime")
    _stop(dock, "cancel")
    answer = dock.call("transactionStatuses", ("since", last))
    assert answer.text("transactionStatus/jobHistory/status") == "Cancelling"
    after = dock.call("transactionStatuses", ("since", answer.text("monitorTime")))
    assert after.root.find("transactionStatus") is None


def test_cancel_and_terminate_end_running_jobs_41_42(hub, transaction):
    """A slow job ends within seconds, leaves nothing at the destination, and keeps its source (E7, E8, E27)."""
    slow = {"source": {"files": ["big"]}, "bandwidth": "64KiB/s", "delete_source": True}
    made = hub(transaction("a", **slow), transaction("b", **slow)).log_in()
    (made.data / "from" / "big").write_bytes(bytes(1 << 20))
    with made.work():
        for name, kind, end in (("a", "cancel", "Cancelled"), ("b", "terminate", "Terminated")):
            made.run(name)
            wait_until(lambda name=name: made.status(name).findtext("jobHistory/status") == "Running")
            since = Stopwatch()
            assert _stop(made, kind, name) == 200
            job = made.finished(name)
            assert job.findtext("completionStatus") == end
            assert since.seconds < 5
            assert job.findtext("filesSuccessful") == "0"
    assert list((made.data / "to").iterdir()) == []
    assert (made.data / "from" / "big").stat().st_size == 1 << 20


@pytest.mark.parametrize(("ask", "completion"), [("cancel", "Cancelled"), ("terminate", "Terminated")])
def test_a_job_of_many_files_that_is_stopped_ends_as_it_was_asked_to_e7_e8(hub, transaction, ask, completion):
    """Its next file is refused before the worker looks for requests: that is the same stop."""
    # Twelve seconds, of which the request has no need.
    made = hub(transaction("many", bandwidth="50B/s")).log_in()
    for number in range(600):
        (made.data / "from" / f"f{number}").write_bytes(b"x")
    with made.work():
        made.run("many")
        wait_until(lambda: len(list((made.data / "to").iterdir())) > 5, what="the first files")
        assert made.call(ask, ("transactionName", "many")).status == 200
        assert made.finished("many").findtext("completionStatus") == completion
    assert len(list((made.data / "to").iterdir())) < 600


@pytest.mark.parametrize("job_retries", [0, 1])
def test_a_job_whose_far_side_fails_after_its_cancel_ends_cancelled_41_e7(hub, transaction, job_retries):
    """The error comes first to a process that waits for the far side: the job has the end that was asked for."""
    reached, asked = threading.Event(), threading.Event()

    def refuse(request):
        request.body()
        if request.command == "PUT":
            reached.set()
            asked.wait(20)
        request.answer(507)

    with Web(refuse) as web:
        retries = {"file": 0, "job": job_retries, "job_delay": "0s"}
        one = transaction("one", destination={"url": "endpoint:web"}, retries=retries)
        made = hub(one, endpoints={"web": {"url": f"{web.url}/in"}}).log_in()
        (made.data / "from" / "f").write_bytes(b"x")
        with made.work():
            made.run("one")
            wait_until(reached.is_set)
            assert _stop(made, "cancel") == 200
            asked.set()
            job = made.finished("one")
    assert (job.findtext("completionStatus"), job.findtext("execAttempt")) == ("Cancelled", "1")
    assert made.rows("SELECT reason FROM jobs") == [("Cancel was requested by Jim.",)]
    assert made.rows("SELECT completion FROM files") == [("Failure",)]
