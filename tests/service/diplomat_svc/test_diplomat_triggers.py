"""Jobs that begin because a file was stored: one for each event, for that file alone, and never in a circle."""

import json
import threading

import pytest

from diplomat_svc.store.tables import INBOX
from mft_common.events import Envelope, FileStored
from mft_common.events.delivery import Delivery, RetryPolicy
from mft_common.identity import Signer
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until
from tests.service.mft_common.filestore_doubles import FakeFilestore

SIGNER = Signer([secret("key-of-diplomat")])
CLIENT = "414D5120514D31202020202020202020" + "0" * 16


def envelope(path, number, transfer_id=CLIENT):
    """Return the event of a stored file."""
    event = FileStored(
        account="part1",
        address="192.0.2.7",
        path=path,
        fileset=number,
        size=7,
        sha256="a" * 64,
        datatype="text/csv",
        transfer_id=transfer_id,
    )
    return Envelope(
        id=f"e{number}",
        source="filestore-svc",
        type=event.TYPE,
        subject=path,
        time=1,
        data=event,
        correlationid=f"r{number}",
    )


def deliver(made, *envelopes):
    """Hand events to the service as its consumer does."""
    service = made.service
    delivery = Delivery("diplomat-svc", service.database, INBOX, service.handlers(), retries=RetryPolicy())
    assert delivery.apply(envelopes)


@pytest.fixture
def store():
    """Return a filestore in a dictionary."""
    return FakeFilestore(SIGNER)


@pytest.fixture
def triggered(hub, transaction, store):
    """Return a function that builds a hub of triggered transactions, each of a name, a folder and more keys."""

    def make(*given, **options):
        moves = []
        for name, folder, trigger, more in given:
            source = {"url": f"filestore:{folder}", **more.pop("source", {})}
            key = {"stored": f"filestore:{folder}", **trigger}
            moves.append(transaction(name, direction="inbound", source=source, trigger=key, **more))
        return hub(*moves, filestore=store, **options)

    return make


def jobs(made):
    """Return transaction, status and completion of each job."""
    return [tuple(row) for row in made.rows("SELECT transaction_id, status, completion FROM jobs ORDER BY sequence")]


def test_a_hundred_stored_files_each_start_one_job_for_that_file_alone(triggered, store):
    """Two consumers get every event, one of them twice; each file is delivered by a job of its own."""
    made = triggered(("move", "/in", {"files": ["*.csv"]}, {"delete_source": True}))
    events = [envelope(f"/in/{number:03d}.csv", number) for number in range(100)]
    for event in events:
        store.put(event.data.path, b"content")
    store.put("/in/other.csv", b"nobody said that it was stored")
    threads = [threading.Thread(target=deliver, args=(made, *events)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deliver(made, *events[:50])
    with made.work():
        wait_until(lambda: {row[1] for row in jobs(made)} == {"Complete"}, within=60)
    assert jobs(made) == [(1, "Complete", "Successful")] * 100
    names = made.rows("SELECT sequence, source FROM files ORDER BY sequence")
    assert len({row.sequence for row in names}) == len({row.source for row in names}) == 100
    assert list(store.files) == ["/in/other.csv"]


def test_the_job_knows_its_file_its_folder_and_the_transfer_that_stored_it(triggered, store):
    """`<%file%>` and `<%folder%>` have values, the events name the cause, and the request behind it goes on."""
    names = {"destination": {"files": "<%folder%>-<%file%>.done"}, "source": {"files": ["<%file%>"]}}
    made = triggered(("move", "/a/in", {}, names)).log_in()
    store.put("/a/in/x y*.csv", b"content")
    store.put("/a/in/x yz.csv", b"what the name would match as a pattern")
    deliver(made, envelope("/a/in/x y*.csv", 1))
    with made.work():
        assert made.finished("move").findtext("completionStatus") == "Successful"
    assert [path.name for path in (made.data / "to").iterdir()] == ["in-x y*.csv.done"]
    events = made.rows("SELECT type, correlationid, data FROM outbox WHERE type <> 'transfer.progressed.v1'")
    assert {json.loads(row.data)["caused_by"] for row in events} == {CLIENT}
    assert {row.correlationid for row in events if row.type.startswith("transfer.")} == {"r1"}
    (text,) = [row.text for row in made.rows("SELECT text FROM job_log") if "Scheduled" in row.text]
    assert text == 'Transaction "move"; Scheduled by the storing of /a/in/x y*.csv.'


def test_only_files_of_the_folder_and_the_patterns_start_jobs(triggered):
    """No file of another folder or of one below, none that no pattern matches, none of a transaction switched off."""
    made = triggered(
        ("move", "/in", {"files": ["*.csv", "a?"]}, {}), ("off", "/in", {}, {"enabled": False}), ("root", "/", {}, {})
    )
    paths = ("/in/b.txt", "/in/deep/a.csv", "/inn/a.csv", "/a.csv", "/in/a.csv", "/in/a1")
    deliver(made, *(envelope(path, number) for number, path in enumerate(paths)))
    started = made.rows("SELECT transaction_id, variables FROM jobs ORDER BY sequence")
    assert [(row[0], json.loads(row[1])) for row in started] == [
        (3, {"file": "a.csv", "folder": ""}),
        (1, {"file": "a.csv", "folder": "in"}),
        (1, {"file": "a1", "folder": "in"}),
    ]


def test_several_transactions_may_have_one_trigger_and_requests_run_them_too(triggered, store):
    """Each gets a job of its own; a request moves what the patterns of the source match, as ever."""
    made = triggered(("one", "/in", {}, {"destination": {"url": "file:to/1"}}), ("two", "/in", {}, {})).log_in()
    store.put("/in/a", b"1")
    deliver(made, envelope("/in/a", 1))
    assert [row[0] for row in jobs(made)] == [1, 2]
    with made.work():
        made.finished("one")
        store.put("/in/b", b"2")
        made.run("two")
        wait_until(lambda: {row[1] for row in jobs(made)} == {"Complete"} and len(jobs(made)) == 3)
    assert sorted(path.name for path in (made.data / "to").rglob("*") if path.is_file()) == ["a", "a", "b"]


def test_a_file_that_is_gone_by_then_was_not_found_71_75(triggered):
    """The job ends as any job that finds nothing; where a file is required that is a failure."""
    made = triggered(("lax", "/in", {}, {}), ("strict", "/in", {}, {"fail_if_not_found": True})).log_in()
    deliver(made, envelope("/in/a", 1))
    with made.work():
        assert made.finished("lax").findtext("completionStatus") == "File(s) not Found"
        assert made.finished("strict").findtext("completionStatus") == "Failure"


def test_no_file_goes_round_in_a_circle(triggered, store):
    """A file of a transaction's own job starts none of it, nor does one of a job that its files had led to."""
    back = {"destination": {"url": "filestore:/in", "files": "again-*"}}
    there = {"destination": {"url": "filestore:/out"}}
    made = triggered(("own", "/in", {"files": ["own*", "again*"]}, back), ("there", "/in", {"files": ["x*"]}, there),
                     ("back", "/out", {}, {"destination": {"url": "filestore:/in"}}))  # fmt: skip
    store.put("/in/own", b"content")
    store.put("/in/x", b"content")
    deliver(made, envelope("/in/own", 1), envelope("/in/x", 2))
    delivered = {1: "/in/again-own", 2: "/out/x", 3: "/in/x"}
    seen = set()
    with made.work():
        for number in range(3, 6):
            wait_until(lambda: {row[1] for row in jobs(made)} == {"Complete"})
            for row in made.rows("SELECT sequence, transaction_id, transfer_id FROM jobs ORDER BY sequence"):
                if row.sequence not in seen:
                    seen.add(row.sequence)
                    path = delivered[row.transaction_id]
                    assert store.content(path) == b"content"
                    deliver(made, envelope(path, 100 * number + row.sequence, row.transfer_id))
    assert [(row[0], row[2]) for row in jobs(made)] == [(1, "Successful"), (2, "Successful"), (3, "Successful")]


def test_a_file_stored_while_the_licence_has_lapsed_starts_a_preview_70_e30(triggered, store):
    """The job is there, and ends before it has moved anything."""
    made = triggered(("move", "/in", {}, {}), diplomat={"license": {"valid_until": "2020-01-01"}})
    store.put("/in/a", b"content")
    deliver(made, envelope("/in/a", 1))
    with made.work():
        wait_until(lambda: jobs(made) == [(1, "Complete", "Preview License")])
    assert list((made.data / "to").iterdir()) == []


def test_neither_required_files_nor_an_age_hold_up_the_file_that_was_stored(triggered, store):
    """It moves alone and was stored as a whole, so that both are about jobs that look for files."""
    source = {"source": {"required": ["other.ctl"], "min_age": "1h"}}
    made = triggered(("move", "/in", {}, source)).log_in()
    store.put("/in/a", b"content")
    deliver(made, envelope("/in/a", 1))
    with made.work():
        assert made.finished("move").findtext("completionStatus") == "Successful"
