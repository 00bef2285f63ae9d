"""jobHistories and summary: items 43 to 50, 67, 68 and readings A42 to A48, through the application."""

import re
import tracemalloc

import pytest
import sqlalchemy as sa

from diplomat_svc.store.tables import jobs

JOB = [
    *("sequence", "updateTime", "transactionName", "startTime", "endTime", "status", "completionStatus", "filesFound"),
    *("filesSuccessful", "filesFailed", "execAttempt", "completion"),
]
FILE = [
    *("sequence", "source", "destination", "startTime", "endTime", "status", "completionStatus", "size", "numRetries"),
]


def _blocks(answer):
    assert answer.status == 200, answer.body
    return [
        (one.findtext("transactionName"), [int(job.findtext("sequence")) for job in one.findall("jobHistory")])
        for one in answer.root.findall("jobHistories")
    ]


@pytest.fixture
def dock(hub, transaction):
    """A hub with two transactions that have run, and one that has not."""
    made = hub(transaction("a", id=1), transaction("b", id=2), transaction("c", id=3)).log_in()
    (made.data / "from" / "f <1>.txt").write_bytes(b"x" * 10)
    with made.work():
        for name in ("a", "b", "a"):
            made.run(name)
            made.finished(name)
    return made


def test_elements_and_their_order_47_67_68(dock):
    """A block with its time and name, jobs the newest first, each with its files."""
    answer = dock.call("jobHistories", ("transactionID", "01"))
    job = ("jobHistory", [*JOB, ("fileHistory", FILE)])
    assert answer.outline() == [
        *("statusCode", "jobHistoryEnabled", "jobHistoryClientUpdateRate"),
        ("jobHistories", ["monitorTime", "transactionName", job, job]),
    ]
    assert (answer.text("jobHistoryEnabled"), answer.text("jobHistoryClientUpdateRate")) == ("true", "10")
    assert _blocks(answer) == [("a", [3, 1])]
    found = answer.root.find("jobHistories/jobHistory")
    assert found.findtext("fileHistory/source") == "f <1>.txt"
    assert found.findtext("fileHistory/sequence") == found.findtext("sequence") == "0000000000000003"
    assert int(found.findtext("updateTime")) >= int(found.findtext("endTime"))
    assert int(answer.text("jobHistories/monitorTime")) >= int(found.findtext("updateTime"))


@pytest.mark.parametrize(
    ("pairs", "blocks"),
    [
        ([("transactionName", "b"), ("transactionID", "1")], [("b", [2]), ("a", [3, 1])]),
        ([("transactionID", "1"), ("transactionName", "b"), ("transactionName", "c")], None),
        ([("transactionID", "1"), ("transactionName", "a"), ("transactionID", "0001")], [("a", [3, 1])]),
        ([("transactionName", "unknown"), ("transactionID", "77")], [("unknown", []), ("", [])]),
        ([("transactionName", ""), ("transactionName", "b")], [("b", [2])]),
    ],
)
def test_every_value_counts_in_the_order_sent_46_48_a42_a44(dock, pairs, blocks):
    """Ids and names are mixed; one transaction is one block; an unknown one is an empty block."""
    expected = [("a", [3, 1]), ("b", [2]), ("c", [])] if blocks is None else blocks
    assert _blocks(dock.call("jobHistories", *pairs)) == expected


@pytest.mark.parametrize("pairs", [[], [("transactionName", " ")], [("transactionID", "a")], [("transactionID", "-1")]])
def test_nothing_named_is_400_50(dock, pairs):
    """No value, or an id that is no number, is 400."""
    assert dock.call("jobHistories", *pairs).status == 400


def test_a_service_without_histories_is_409_49(hub, transaction):
    """Switched off, the request is 409 with a description, and the update rate is the configured one otherwise."""
    off = hub(transaction("a"), diplomat={"histories": {"enabled": False}}).log_in()
    answer = off.call("jobHistories", ("transactionName", "a"))
    assert (answer.status, answer.root.attrib["responseType"]) == (409, "errorResponse")
    assert off.call("jobHistories").status == 400


def test_active_and_queued_jobs_are_listed_a43_a46(dock):
    """A queued job has neither end nor completion status; the update rate is in seconds."""
    dock.run("c")
    answer = dock.call("jobHistories", ("transactionName", "c"))
    job = answer.root.find("jobHistories/jobHistory")
    assert [child.tag for child in job] == [tag for tag in JOB if tag not in ("endTime", "completionStatus")]
    assert (job.findtext("status"), job.findtext("completion")) == ("Queued", "0.0")


def test_what_an_account_may_not_see_is_unknown_to_it_a22(dock):
    """Hidden transactions are empty blocks, and have no summary."""
    dock.directory.grants["Some"] = {"transactions": ["b"]}
    dock.log_in(user="Some")
    assert _blocks(dock.call("jobHistories", ("transactionID", "1"), ("transactionName", "b"))) == [
        ("", []),
        ("b", [2]),
    ]
    assert dock.call("summary", ("transactionName", "a")).status == 400


def test_a_long_history_is_streamed_in_constant_memory_e42(dock):
    """6,000 jobs come whole and in order, in less memory than their answer has bytes."""
    with dock.service.database.write() as connection:
        row = dict(connection.execute(sa.select(jobs).where(jobs.c.sequence == 2)).one()._mapping)
        rows = [
            {**row, "sequence": 100 + n, "transfer_id": str(n), "scheduled_at": n, "found": 0} for n in range(6_000)
        ]
        connection.execute(sa.insert(jobs), rows)
    tracemalloc.start()
    query = "requestType=jobHistories&transactionName=b"
    headers = {"Cookie": f"JSESSIONID={dock.cookie}"}
    response = dock.client.get("/diplomat/APIRequest", query_string=query, headers=headers, buffered=False)
    size, sequences = 0, []
    for piece in response.response:
        size += len(piece)
        sequences += [int(one) for one in re.findall(rb"<jobHistory><sequence>(\d+)", piece)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sequences == [*range(6_099, 99, -1), 2]
    assert size > 2 << 20
    assert peak < size


def test_a_summary_tells_the_most_recent_job_43_44_45_a48(dock):
    """Direction, source, files, encryption, signature, destination, archives, audit, server: in that order."""
    answer = dock.call("summary", ("transactionName", "a"))
    assert answer.outline() == ["statusCode", "summary"]
    assert answer.root.attrib == {"responseType": "summaryResponse"}
    text = answer.text("summary")
    words = [
        "Outbound",
        "Successful",
        "Source: ",
        "f <1>.txt, ",
        ", 10 bytes",
        "Encryption",
        "Signature",
        "Destination: ",
    ]
    words += ["Primary archive", "Additional archive", "Audit record", "Server: ", "started ", "Version: 8.0.0"]
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert "job 0000000000000003" in text
    dock.run("a")
    text = dock.call("summary", ("transactionID", "1")).text("summary")
    assert "job 0000000000000004" in text
    assert "Status: Queued" in text


def test_a_summary_of_no_job_is_400_44(dock):
    """No parameter, an unknown transaction, and one without a job."""
    for pairs in ([], [("transactionName", "unknown")], [("transactionName", "c")], [("transactionID", "9")]):
        assert dock.call("summary", *pairs).status == 400


def test_a_removed_transaction_keeps_its_histories(dock, hub, transaction):
    """After it left the configuration its name and id may be asked for; a new one of that name has a block with it."""
    dock.close()
    again = hub(transaction("b", id=2)).log_in()
    assert _blocks(again.call("jobHistories", ("transactionName", "a"))) == [("a", [3, 1])]
    assert "job 0000000000000003" in again.call("summary", ("transactionID", "1")).text("summary")
    assert again.call("runNow", ("transactionName", "a")).status == 400
