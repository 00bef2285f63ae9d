"""Items, readings and rules that hold across requests, through the application and with jobs that run."""

import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.registry import Endpoints
from tests.servers.processes import wait_until

REQUIRED = {
    "connect": ("userID", "userName", "password"),
    "runNow": ("transactionID",),
    "cancel": ("transactionID",),
    "terminate": ("transactionID",),
    "summary": ("transactionID",),
    "jobHistories": ("transactionID",),
    "logView": ("transactionName", "sequence"),
    "logBuffer": ("logViewID", "lineNum"),
    "removeLogView": ("logViewID",),
}


@pytest.mark.parametrize("kind", [*REQUIRED, "disconnect", "transactionStatuses"])
def test_every_body_has_its_root_and_its_code_and_names_what_is_missing_7_10_11_12_21(hub, transaction, kind):
    """No body is blank; without its parameters a request is 400 with a sentence that names one of them."""
    made = hub(transaction("one")).log_in()
    answer = made.call(kind)
    assert answer.root.tag == "diplomatApiResponse"
    assert answer.root[0].tag == "statusCode"
    assert answer.root[0].text == str(answer.status)
    if kind in REQUIRED:
        assert (answer.status, answer.root.get("responseType")) == (400, "errorResponse")
        assert any(name in answer.text("message") for name in REQUIRED[kind])
    else:
        assert answer.status == 200


def test_times_are_milliseconds_and_booleans_words_13_64_a45(hub, transaction):
    """Stamps lie within this test, inner times are not before the outer one, and `dbUpdating` is false."""
    before = time.time_ns() // 1_000_000 - 50
    made = hub(transaction("one"), transaction("two"), diplomat={"histories": {"update_rate": "30s"}}).log_in()
    scheduled = made.run("one")
    answer = made.call("transactionStatuses")
    after = time.time_ns() // 1_000_000 + 50
    outer = int(answer.text("monitorTime"))
    assert before <= scheduled <= after
    assert before <= outer <= after
    inner = [int(one.text) for one in answer.root.findall("transactionStatus/monitorTime")]
    assert len(inner) == 2
    assert min(inner) >= outer
    assert answer.text("dbUpdating") == "false"
    histories = made.call("jobHistories", ("transactionID", "1"))
    assert histories.text("jobHistoryClientUpdateRate") == "30"
    assert histories.text("jobHistoryEnabled") == "true"


def test_a_transaction_has_its_type_its_state_and_its_newest_job_63_66(hub, transaction):
    """The record is that of the newest job, absent before the first; type and state have the words of the guide."""
    made = hub(transaction("out"), transaction("in", direction="inbound")).log_in()
    made.run("out")
    made.run("out")
    found = {name: made.status(name) for name in ("out", "in")}
    assert found["out"].findtext("jobHistory/sequence") == "0000000000000002"
    assert found["in"].find("jobHistory") is None
    words = [(one.findtext("transactionType"), one.findtext("transactionState")) for one in found.values()]
    assert words == [("Outbound", "Not Scheduled"), ("Inbound", "Not Scheduled")]


def test_statuses_and_stops_of_one_job_after_another_69_77_a47(hub, transaction):
    """Queued, Running, then Complete after a stop; the files not begun are counted as found."""
    slow = {"source": {"files": ["f*"]}, "bandwidth": "32KiB/s"}
    made = hub(transaction("one", **slow)).log_in()
    for place in range(3):
        (made.data / "from" / f"f{place}").write_bytes(bytes(256 << 10))
    seen = []
    made.run("one")
    seen.append(made.status("one").findtext("jobHistory/status"))
    with made.work():
        for kind in ("cancel", "terminate"):
            wait_until(lambda: made.status("one").find("jobHistory/fileHistory") is not None)
            seen.append(made.status("one").findtext("jobHistory/status"))
            assert made.call(kind, ("transactionName", "one")).status == 200
            job = made.finished("one")
            seen.append(job.findtext("completionStatus"))
            counts = [job.findtext(name) for name in ("filesFound", "filesSuccessful", "filesFailed")]
            assert (counts[0], counts[1]) == ("3", "0")
            made.run("one")
        made.call("terminate", ("transactionName", "one"))
    assert seen == ["Queued", "Running", "Cancelled", "Running", "Terminated"]


def test_the_version_and_the_build_are_shown_a21(hub, transaction):
    """The version is the guide's, the build a date, and the name that of the configuration."""
    answer = hub(transaction("one"), diplomat={"display_name": "quay 7"}).connect()
    assert (answer.text("appVersion"), answer.text("serverDisplayName")) == ("8.0.0", "quay 7")
    time.strptime(answer.text("serverBuildID"), "%Y%m%d")
    flags = [answer.text(f"diplomatUser/{name}") for name in ("twoFactorAuth", "updatedToV52")]
    assert flags == ["false", "true"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", {"a.txt", ".hidden", "b[1].txt", "ab.txt"}),
        ("?.txt", {"a.txt"}),
        ("*.txt", {"a.txt", "b[1].txt", "ab.txt"}),
        ("b[1].txt", {"b[1].txt"}),
        (".*", {".hidden"}),
        ("A.txt", set()),
    ],
)
def test_patterns_know_the_star_and_the_question_mark_alone_a30(hub, transaction, pattern, names):
    """A value is read as a pattern; brackets and a leading dot are nothing special, temporary names never match."""
    made = hub(transaction("one", source={"files": ["<%name%>"]})).log_in()
    for name in ("a.txt", ".hidden", "b[1].txt", "ab.txt", ".x.0000000000000009.part"):
        (made.data / "from" / name).write_bytes(b"x")
    with made.work():
        made.run("one", ("var", f"name|{pattern}"))
        job = made.finished("one")
    assert {path.name for path in (made.data / "to").iterdir()} == names
    assert job.findtext("filesFound") == str(len(names))


def test_only_run_now_asks_whether_the_api_may_a36(hub, transaction, tmp_path):
    """Reading and stopping the jobs of a transaction is open where runNow is 400."""
    hub(transaction("one"), data=tmp_path).log_in().run("one")
    made = hub(transaction("one", api_allowed=False), data=tmp_path).log_in()
    one = ("transactionName", "one")
    assert made.call("runNow", one).status == 400
    assert made.call("logView", one, ("sequence", "1")).status == 200
    assert [made.call(kind, one).status for kind in ("summary", "jobHistories", "cancel")] == [200, 200, 200]
    assert made.status("one").findtext("jobHistory/completionStatus") == "Cancelled"


def test_run_now_knows_no_password_of_a_transaction_a37(hub, transaction):
    """A parameter of that name is one of those that are ignored, and is not kept."""
    made = hub(transaction("one")).log_in()
    assert made.call("runNow", ("transactionName", "one"), ("password", "of-the-agent")).status == 200
    assert made.rows("SELECT 1 FROM jobs WHERE variables LIKE '%of-the-agent%'") == []


def test_a_view_holds_the_records_of_its_job_alone_oldest_first_a54(hub, transaction):
    """Neither an earlier job of the transaction nor one of another is in it."""
    made = hub(transaction("one"), transaction("two")).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    with made.work():
        for name in ("one", "two", "one"):
            made.run(name)
            made.finished(name)
    view = made.call("logView", ("transactionName", "one"), ("sequence", "3")).text("id")
    answer = made.call("logBuffer", ("logViewID", view), ("lineNum", "0"))
    texts = [line.text for line in answer.root.findall("line") if not line.text.startswith(">")]
    assert all(text.startswith('Transaction "one"; ') for text in texts)
    assert [text for text in texts if "Scheduled by request" in text] == texts[:1]
    assert [text for text in texts if " ended: " in text] == texts[-1:]
    assert "0000000000000003" in texts[-1]


def test_apply_changes_no_job_that_is_scheduled_e1(hub, transaction, tmp_path):
    """A job keeps the definition and the variables of its scheduling; the next one has the new definition."""
    first = transaction("one", source={"files": ["<%name%>"]}, destination={"url": "file:to/first"})
    hub(first, data=tmp_path).log_in().run("one", ("var", "name|a"))
    second = transaction("one", source={"files": ["b"]}, destination={"url": "file:to/second"})
    made = hub(second, data=tmp_path).log_in()
    for name in ("a", "b"):
        (tmp_path / "from" / name).write_bytes(b"x")
    with made.work():
        made.run("one")
        wait_until(lambda: not made.rows("SELECT 1 FROM jobs WHERE status <> 'Complete'"))
    assert [path.name for path in (tmp_path / "to/first").iterdir()] == ["a"]
    assert [path.name for path in (tmp_path / "to/second").iterdir()] == ["b"]


@pytest.mark.parametrize("table", ["outbox", "job_log", "jobs"])
def test_a_change_its_record_and_its_event_commit_together_e4(hub, transaction, table):
    """Where one of them cannot be written, nothing changed: no job, no record, no event, and no 200."""
    made = hub(transaction("one")).log_in()
    made.run("one")

    def counts():
        return [made.rows(f"SELECT count(*) FROM {name}")[0][0] for name in ("jobs", "job_log", "outbox")]

    before, status = counts(), made.status("one").findtext("monitorTime")
    trigger = "UPDATE" if table == "jobs" else "INSERT"
    with made.service.database.write() as connection:
        connection.exec_driver_sql(
            f"CREATE TRIGGER refuse BEFORE {trigger} ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    assert made.call("cancel", ("transactionName", "one")).status == 500
    assert counts() == before
    assert made.status("one").findtext("jobHistory/status") == "Queued"
    assert int(made.status("one").findtext("monitorTime")) >= int(status)


def test_jobs_run_in_processes_of_their_own_one_in_each_e6(hub, transaction, runner):
    """Two jobs that run at the same time have two processes, neither of them the worker's."""
    slow = {"source": {"files": ["big"]}, "bandwidth": "64KiB/s"}
    made = hub(transaction("a", **slow), transaction("b", **slow)).log_in()
    (made.data / "from" / "big").write_bytes(bytes(1 << 20))
    with made.work():
        for name in ("a", "b"):
            made.run(name)

        def running():
            pids = {handle.pid for handle in list(runner._handles) if handle.pid}
            return pids if len(pids) == 2 else None

        pids = wait_until(running, what="two processes")
        assert os.getpid() not in pids
        for name in ("a", "b"):
            assert made.call("terminate", ("transactionName", name)).status == 200
            made.finished(name)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), within=5)


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_a_source_that_changes_is_read_again_and_one_that_vanishes_fails_e23_e25(hub, transaction, change):
    """The new content is delivered by a retry; a file that vanished before its turn is a Failure beside the others."""
    made = hub(transaction("one", source={"files": ["a-big", "z-small"]}, bandwidth="256KiB/s")).log_in()
    source, last = made.data / "from" / "a-big", made.data / "from" / "z-small"
    source.write_bytes(bytes(1 << 20))
    last.write_bytes(b"small")
    with made.work():
        made.run("one")
        wait_until(lambda: any(path.stat().st_size for path in (made.data / "to").glob(".a-big.*.part")), what="bytes")
        if change == "gone":
            last.unlink()
        else:
            source.write_bytes(b"another content" * 1000)
        job = made.finished("one")
    files = {one.findtext("source"): one for one in job.findall("fileHistory")}
    assert files["a-big"].findtext("completionStatus") == "Successful"
    if change == "gone":
        assert job.findtext("completionStatus") == files["z-small"].findtext("completionStatus") == "Failure"
        assert [path.name for path in (made.data / "to").iterdir()] == ["a-big"]
    else:
        assert (job.findtext("completionStatus"), files["a-big"].findtext("numRetries")) == ("Successful", "1")
        assert (made.data / "to" / "a-big").read_bytes() == b"another content" * 1000


def test_a_reader_sees_the_former_file_or_the_new_one_whole_e28(hub, transaction):
    """While jobs replace a file again and again, every read of it gives one content from begin to end."""
    made = hub(transaction("one")).log_in()
    contents = [bytes([value]) * 300_000 for value in range(8)]
    (made.data / "to" / "f").write_bytes(contents[0])
    over, seen = threading.Event(), set()

    def read():
        while not over.is_set():
            seen.add((made.data / "to" / "f").read_bytes())

    thread = threading.Thread(target=read)
    thread.start()
    try:
        with made.work():
            for content in contents:
                (made.data / "from" / "f").write_bytes(content)
                made.run("one")
                assert made.finished("one").findtext("completionStatus") == "Successful"
    finally:
        over.set()
        thread.join()
    assert seen <= set(contents)
    assert len(seen) > 1


def test_the_limit_of_bandwidth_holds_over_all_files_of_a_job_e29(hub, transaction):
    """Four files of 128 KiB at 256 KiB/s take the time of 512 KiB, within 5 %."""
    made = hub(transaction("one", bandwidth="256KiB/s")).log_in()
    for place in range(4):
        (made.data / "from" / f"f{place}").write_bytes(bytes(128 << 10))
    with made.work():
        made.run("one")
        job = made.finished("one")
    files = job.findall("fileHistory")
    took = int(files[-1].findtext("endTime")) - int(files[0].findtext("startTime"))
    assert job.findtext("completionStatus") == "Successful"
    assert took >= 1900


def test_a_folder_of_many_files_is_listed_in_constant_memory_for_each_e38(tmp_path):
    """Each of 5,000 entries costs less than a kilobyte."""
    (tmp_path / "in").mkdir()
    for place in range(5_000):
        os.close(os.open(tmp_path / "in" / f"file-{place:06d}.csv", os.O_CREAT | os.O_WRONLY))
    endpoint = Endpoints(folders=LocalFolders(tmp_path)).open("file:in")
    with endpoint:
        tracemalloc.start()
        try:
            count = sum(1 for _ in endpoint.list(Patterns(["*.csv"])))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert count == 5_000
    assert peak < 1000 * count


def test_no_answer_no_log_and_no_record_names_a_path_of_the_machine_e44_e46(hub, transaction, capfd):
    """Jobs that fail for a missing folder, a folder outside, and a target that is a folder say so without its path."""
    sides = {
        "missing": {"source": {"url": "file:nowhere"}},
        "folder": {},
    }
    made = hub(*(transaction(name, **more) for name, more in sides.items())).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    (made.data / "to" / "f").mkdir()
    bodies = []
    with made.work():
        for name in sides:
            made.run(name)
            assert made.finished(name).findtext("completionStatus") == "Failure"
            bodies.append(made.call("summary", ("transactionName", name)).body)
            bodies.append(made.call("jobHistories", ("transactionName", name)).body)
    bodies.append(made.call("transactionStatuses").body)
    texts = "\n".join(row.text for row in made.rows("SELECT text FROM job_log"))
    output = capfd.readouterr()
    for text in (texts, output.out, output.err, *(body.decode() for body in bodies)):
        assert str(made.data) not in text


@pytest.mark.parametrize("value", ["file:/etc", "sftp://host/", "endpoint:x", "from"])
def test_no_request_names_a_url_e47(hub, transaction, value):
    """Variables are put into names alone: a URL is what the configuration says, and no name is taken for one."""
    made = hub(transaction("one", destination={"url": "file:to/<%where%>"})).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    answer = made.call("runNow", ("transactionName", "one"), ("var", f"where|{value}"))
    assert answer.status == (400 if "/" in value else 200)
    assert made.call("runNow", ("transactionName", value)).status == 400
    if answer.status == 200:
        with made.work():
            assert made.finished("one").findtext("completionStatus") == "Successful"
        assert [path.name for path in (made.data / "to").iterdir()] == ["<%where%>"]
