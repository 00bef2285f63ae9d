"""Jobs that really run: runNow, its refusals, and every end that this path reaches by its real cause."""

import itertools
import json
import os
import threading

import pytest
from structlog.testing import capture_logs

from mft_common.errors import MftError, Unavailable
from mft_common.events.backlog import OUTBOX
from tests.servers.processes import wait_until


@pytest.fixture
def dock(hub, transaction):
    """Return a function that builds a hub, logs in, and puts files into DATA/from."""

    def make(*transactions, files=None, **options):
        made = hub(*(transactions or (transaction("one"),)), **options).log_in()
        for name, content in (files or {}).items():
            (made.data / "from" / name).write_bytes(content)
        return made

    return make


def test_a_job_delivers_its_files_73(dock):
    """A job moves every file that matches and ends Successful, with one fileHistory a file in the order of 68."""
    made = dock(files={"a.txt": b"aaaa", "b.txt": b"bb"})
    with made.work():
        scheduled = made.run("one")
        job = made.finished("one")
    assert (job.findtext("completionStatus"), job.findtext("startTime")) == ("Successful", str(scheduled))
    assert [child.tag for child in job][:11] == [
        *("sequence", "transactionName", "startTime", "endTime", "status", "completionStatus"),
        *("filesFound", "filesSuccessful", "filesFailed", "execAttempt", "completion"),
    ]
    counts = [
        job.findtext(tag) for tag in ("filesFound", "filesSuccessful", "filesFailed", "execAttempt", "completion")
    ]
    assert counts == ["2", "2", "0", "1", "1.0"]
    histories = job.findall("fileHistory")
    order = ["sequence", "source", "destination", "startTime", "endTime", "status", "completionStatus", "size"]
    assert [child.tag for child in histories[0]] == [*order, "numRetries"]
    assert [(one.findtext("source"), one.findtext("size")) for one in histories] == [("a.txt", "4"), ("b.txt", "2")]
    assert {one.findtext("sequence") for one in histories} == {job.findtext("sequence")} == {"0000000000000001"}
    assert (made.data / "to" / "a.txt").read_bytes() == b"aaaa"
    assert (made.data / "from" / "a.txt").exists()
    assert sorted(os.listdir(made.data / "to")) == ["a.txt", "b.txt"]  # noqa: PTH208


@pytest.mark.parametrize("bar", ["|", "%7C"])
def test_variables_raw_and_encoded_32_33(dock, transaction, bar):
    """`var` replaces in files, required and destination, with the bar raw or encoded, defaults where none is given."""
    one = transaction(
        "v",
        variables={"end": "csv", "x": "never"},
        source={"files": ["<%n%>-<%d%>.<%end%>"], "required": ["<%n%>*"]},
        destination={"files": "out-<%d%>-*"},
    )
    made = dock(one, files={"a-1.csv": b"1", "b-1.csv": b"2"})
    with made.work():
        query = f"requestType=runNow&transactionName=v&var=n{bar}b&var=n{bar}a&var=d{bar}1&var=unused{bar}"
        assert made.call("", query_string=query).status == 200
        assert made.finished("v").findtext("completionStatus") == "Successful"
    assert [path.name for path in (made.data / "to").iterdir()] == ["out-1-a-1.csv"]


def test_a_variable_without_a_value_stays_a28(dock, transaction):
    """Without a value the text stays, a Warning names the variable, and the job goes on."""
    made = dock(transaction("v", source={"files": ["<%n%>"]}), files={"<%n%>": b"x"})
    with made.work():
        made.run("v")
        assert made.finished("v").findtext("completionStatus") == "Successful"
    assert any("The variable n has no value" in row.text for row in made.rows("SELECT text FROM job_log"))


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("transactionName", "two")],
        [("transactionName", "1")],
        [("transactionID", "one")],
        [("transactionID", "9"), ("transactionName", "one")],
        [("transactionID", "99999999999999999999999999"), ("transactionName", "one")],
        [("transactionName", "one"), ("var", "x")],
        [("transactionName", "one"), ("var", "|x")],
        [("transactionName", "one"), ("var", "n|a/b")],
        [("transactionName", "one"), ("var", "n|a\\b")],
        [("transactionName", "one"), ("var", "n|a\nb")],
        [("transactionName", "one"), ("var", "n|..")],
        [("transactionName", "closed")],
        [("transactionName", "off")],
    ],
)
def test_a_job_that_cannot_be_scheduled_is_400_31_35_36_a26_a27_a31(dock, transaction, pairs):
    """Unknown, closed or switched-off transactions and unfit variables are 400, and nothing is scheduled."""
    one = transaction("one", source={"files": ["<%n%>"]})
    made = dock(one, transaction("closed", api_allowed=False), transaction("off", enabled=False))
    assert made.call("runNow", *pairs).status == 400
    assert made.rows("SELECT * FROM jobs") == []


def test_ids_are_read_with_any_padding_a25_a15(dock):
    """An id counts with and without zeros, a blank id lets the name count."""
    made = dock()
    for pairs in (
        [("transactionID", "1")],
        [("transactionID", "0" * 30 + "1")],
        [("transactionID", ""), ("transactionName", "one")],
    ):
        assert made.call("runNow", *pairs).status == 200


def test_a_viewer_and_a_named_few_a22(dock, transaction):
    """A Viewer schedules nothing; a grant that names transactions hides the others, from the cells too."""
    made = dock(transaction("one"), transaction("two"))
    made.directory.grants["Viewer"] = {"transactions": ["t*"]}
    made.log_in(user="Viewer")
    assert made.call("runNow", ("transactionName", "two")).status == 400
    root = made.call("transactionStatuses").root
    assert [one.findtext("transactionName") for one in root.iter("transactionStatus")] == ["two"]
    assert sum(int(one.get("value")) for one in root.iter("transactionStatusSummary")) == 1


def test_the_queue_has_a_limit_a32(dock):
    """Past queue_limit runNow is 400."""
    made = dock(diplomat={"jobs": {"queue_limit": 2}})
    assert [made.call("runNow", ("transactionName", "one")).status for _ in range(3)] == [200, 200, 400]


@pytest.mark.parametrize(
    ("strict", "nothing", "incomplete"),
    [
        (False, "File(s) not Found", "Required File(s) Not Found"),
        (True, "Failure", "Failure"),
    ],
)
def test_nothing_found_and_a_required_file_missing_71_72_75_e26(dock, transaction, strict, nothing, incomplete):
    """No file found, or a required one missing: the status depends on fail_if_not_found, and nothing is moved."""
    made = dock(
        transaction("none", source={"files": ["x*"]}, fail_if_not_found=strict),
        transaction("some", source={"files": ["*"], "required": ["302.txt"]}, fail_if_not_found=strict),
        files={"301.txt": b"x"},
    )
    with made.work():
        made.run("none")
        made.run("some")
        assert made.finished("none").findtext("completionStatus") == nothing
        job = made.finished("some")
    assert (job.findtext("completionStatus"), job.findtext("filesFound")) == (incomplete, "1")
    assert not list((made.data / "to").iterdir())


def test_sources_are_deleted_after_success_alone_e24_e25(dock, transaction):
    """One failure, which the log tells with the name, stops no other file; delivered files alone lose their sources."""
    made = dock(transaction("one", delete_source=True), files={"a": b"1", "b": b"2", "c": b"3"})
    (made.data / "to" / "b").mkdir()
    with made.work():
        made.run("one")
        job = made.finished("one")
    assert [one.findtext("completionStatus") for one in job.iter("fileHistory")] == [
        "Successful",
        "Failure",
        "Successful",
    ]
    counts = [job.findtext(tag) for tag in ("completionStatus", "filesSuccessful", "filesFailed")]
    assert counts == ["Failure", "2", "1"]
    assert [path.name for path in (made.data / "from").iterdir()] == ["b"]
    failed = [row.text for row in made.rows("SELECT text FROM job_log") if "Failed: " in row.text]
    assert failed == ['Transaction "one"; Failed: b: is a folder.']


def test_a_source_that_cannot_be_deleted_is_a_warning_74(dock, transaction):
    """A delivered file whose source changed meanwhile stays where it is, and the job is a Warning."""
    made = dock(transaction("one", delete_source=True, bandwidth="10B/s"), files={"a": b"1" * 6, "b": b"2" * 30})
    with made.work():
        made.run("one")
        # Sources are deleted after the last file, which takes three seconds more.
        wait_until((made.data / "to" / "a").exists, what="the first file")
        (made.data / "from" / "a").write_bytes(b"changed")
        assert made.finished("one").findtext("completionStatus") == "Warning"
    assert (made.data / "from" / "a").read_bytes() == b"changed"
    assert not (made.data / "from" / "b").exists()


def test_one_name_for_many_is_a_failure_before_anything_moves(dock, transaction):
    """A destination name without `*` and more than one file found: Failure, and nothing is moved."""
    made = dock(transaction("one", destination={"files": "all"}), files={"a": b"1", "b": b"2"})
    with made.work():
        made.run("one")
        assert made.finished("one").findtext("completionStatus") == "Failure"
    assert not list((made.data / "to").iterdir())


def test_if_exists_fail_and_min_age_are_kept(dock, transaction):
    """A file that is there stays with `fail`, and files younger than min_age are left alone."""
    made = dock(
        transaction("keep", destination={"if_exists": "fail"}),
        transaction("old", source={"min_age": "1h"}),
        files={"a": b"new"},
    )
    (made.data / "to" / "a").write_bytes(b"old")
    with made.work():
        made.run("keep")
        made.run("old")
        assert made.finished("keep").findtext("completionStatus") == "Failure"
        assert made.finished("old").findtext("completionStatus") == "File(s) not Found"
    assert (made.data / "to" / "a").read_bytes() == b"old"


def test_jobs_of_one_transaction_run_one_after_the_other_a32(dock, transaction):
    """First in, first out, never two at once; another transaction's job does not wait for them."""
    made = dock(transaction("one"), transaction("two"), files={"a": b"x" * 1000})
    for _ in range(5):
        made.run("one")
    made.run("two")
    with made.work():
        made.finished("one")
        made.finished("two")
    rows = made.rows("SELECT sequence, began_at, ended_at FROM jobs WHERE transaction_id = 1 ORDER BY sequence")
    assert len(rows) == 5
    assert all(before.ended_at <= after.began_at for before, after in itertools.pairwise(rows))


def test_every_job_is_a_transfer_e5(dock):
    """One started and one ended event, with agents, originator, items, checksums and the record's states."""
    made = dock(files={"a.txt": b"abc"})
    with made.work():
        made.run("one")
        made.finished("one")
    events = made.rows(f"SELECT type, subject, data, correlationid FROM {OUTBOX.name} ORDER BY position")
    assert [event.type for event in events] == [
        *("transfer.started.v1", "job.changed.v1", "job.changed.v1", "transfer.ended.v1", "job.changed.v1")
    ]
    assert {event.correlationid for event in events} == {"r1", ""} or {event.correlationid for event in events} == {
        "r1"
    }
    end = json.loads(events[3].data)
    assert (end["state"], end["job_name"], end["source_agent"]) == ("successful", "one", {"name": "DIPLOMAT"})
    assert (end["originator"]["account"], end["originator"]["label"]) == ("Administrator", "Jim")
    assert end["user_properties"] == {"crossdock.protocol": "diplomat", "crossdock.job": "0000000000000001"}
    assert end["totals"] == {"files": 1, "successes": 1, "failures": 0, "warnings": 0, "bytes_sent": 3, "retries": 0}
    (item,) = end["items"]
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert item["source"] == {"type": "file", "path": "from/a.txt", "size": 3, "sha256": digest, "disposition": "leave"}
    assert (item["destination"]["path"], item["destination"]["sha256"]) == ("to/a.txt", digest)
    assert json.loads(events[0].data)["transfer_id"] == events[3].subject


def test_a_stopped_worker_ends_its_job_incomplete_and_keeps_the_queue_e11(dock, transaction):
    """On a stop the running job ends Incomplete after the grace, without a trace, and the queued one runs later."""
    one = transaction("one", bandwidth="10B/s")
    made = dock(one, files={"a": b"x" * 1000}, diplomat={"jobs": {"stop_grace": "0s"}})
    made.run("one")
    with made.work():
        wait_until(lambda: list((made.data / "to").iterdir()), what="the first bytes")
        made.run("one")
    rows = made.rows("SELECT status, completion FROM jobs ORDER BY sequence")
    assert [tuple(row) for row in rows] == [("Complete", "Incomplete"), ("Queued", None)]
    assert not list((made.data / "to").iterdir())
    (made.data / "from" / "a").write_bytes(b"x")
    with made.work():
        assert made.finished("one").findtext("completionStatus") == "Successful"


def test_the_log_has_request_files_and_end_e39(dock):
    """The job's log has the request with its label and variables' names, each file with its checksum, and the end."""
    made = dock(files={"a.txt": b"abc"})
    with made.work():
        made.run("one", ("var", "x|y>z"))
        made.finished("one")
    texts = [row.text for row in made.rows("SELECT text FROM job_log ORDER BY id")]
    assert texts[0] == 'Transaction "one"; Scheduled by request with a value of x. [Jim]'
    assert texts[1:3] == ['Transaction "one"; Begun by a worker.', 'Transaction "one"; Found 1 file(s), 3 bytes.']
    assert texts[3].startswith('Transaction "one"; Delivered a.txt as a.txt: 3 bytes, SHA-256 ba7816bf')
    assert texts[4] == 'Transaction "one"; Job 0000000000000001 ended: Successful.'


def test_the_end_of_a_job_is_a_line_of_the_services_log(dock, transaction):
    """It has the transaction, how the job ended, why, and the id of its transfer; a success is no warning."""
    missing = transaction("missing", source={"files": ["none"], "required": ["none"]})
    made = dock(transaction("one"), missing, files={"a.txt": b"abc"})
    with capture_logs() as lines, made.work():
        made.run("one")
        made.run("missing")
        made.finished("one")
        made.finished("missing")
        wait_until(lambda: sum(line["event"] == "job.ended" for line in lines) == 2, what="both lines")
    good, bad = sorted((line for line in lines if line["event"] == "job.ended"), key=lambda line: line["sequence"])
    assert (good["transaction"], good["completion"], good["successful"]) == ("one", "Successful", 1)
    assert (good["log_level"], bad["log_level"], bad["transaction"]) == ("info", "warning", "missing")
    assert bad["completion"] != "Successful"
    assert len(bad["transfer_id"]) == 48


def test_the_line_of_a_job_whose_files_failed_has_the_reason(dock, transaction):
    """The service's log and the log of the job name how many files failed and why the first one did."""
    made = dock(transaction("one", retries={"file": 0}), files={"a.txt": b"a", "b.txt": b"b"})
    for name in ("a.txt", "b.txt"):
        (made.data / "to" / name).mkdir()
    with capture_logs() as lines, made.work():
        made.run("one")
        assert made.finished("one").findtext("completionStatus") == "Failure"
        (line,) = wait_until(lambda: [line for line in lines if line["event"] == "job.ended"], what="the line")
    assert line["reason"].startswith("2 file(s) failed; the first: a.txt: ")
    (last,) = [row.text for row in made.rows("SELECT text FROM job_log") if "ended: Failure." in row.text]
    assert last.endswith(line["reason"])


def test_a_second_worker_of_one_sqlite_database_is_refused(dock):
    """Of two workers of one SQLite database the second is refused."""
    made = dock()
    with made.work():
        made.ready()
        with pytest.raises(MftError, match="another worker"):
            made.service.dispatcher().run(threading.Event())


def test_readiness_waits_for_the_worker_e15(dock):
    """Without a worker that has recovered, the service is not ready."""
    made = dock()
    assert made.client.get("/readyz").status_code == 503
    with made.work():
        made.ready()
        assert made.client.get("/readyz").get_json()["failing"] == {}


def test_a_delivered_file_is_recorded_once_the_database_is_back(dock):
    """A database that is away right after the delivery makes no Failure of it."""
    made = dock(files={"a": b"content"})
    write, refused = made.service.database.write, []

    def broken():
        of_job = threading.current_thread().name.startswith("child ")
        if of_job and (made.data / "to" / "a").exists() and len(refused) < 2:
            refused.append(True)
            raise Unavailable("the database is away")
        return write()

    made.service.database.write = broken
    with made.work():
        made.run("one")
        job = made.finished("one")
    assert (job.findtext("completionStatus"), job.findtext("filesSuccessful"), len(refused)) == ("Successful", "1", 2)
    assert job.findtext("fileHistory/completionStatus") == "Successful"
