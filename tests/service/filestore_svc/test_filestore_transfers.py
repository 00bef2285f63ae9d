"""5.8: every upload and download is a transfer that is reported exactly once."""

import contextlib
import json

import pytest

from filestore_svc.operations.transfers import ANNOUNCE_AFTER_MS
from filestore_svc.store import transfers
from filestore_svc.store.transfers import OpenTransfer
from mft_common import environ_keys
from mft_common.database.write_connection import WriteConnection
from mft_common.errors import Unavailable
from tests.servers.processes import wait_until
from tests.service.filestore_svc.filestore_lab import form, identity_of

TYPE = {"Content-Type": "multipart/form-data; boundary=XbX"}


def _types(lab):
    return [event["type"] for event in lab.events()]


def test_an_upload_is_a_transfer(lab):
    """The started and the ended event, from CLIENT to FILESTORE, are committed with the file."""
    answer = lab.put("/2.0/files/in/a.txt", b"hello")
    stored, started, ended = lab.events()
    assert [stored["type"], started["type"], ended["type"]] == [
        "file.stored.v1",
        "transfer.started.v1",
        "transfer.ended.v1",
    ]
    assert (ended["protocol"], ended["state"], ended["description"]) == ("http-mft", "successful", "")
    assert (ended["source_agent"], ended["destination_agent"]) == ({"name": "CLIENT"}, {"name": "FILESTORE"})
    assert ended["originator"] == {"account": "part1", "host": "192.0.2.1"}
    fileset = str(answer.json["fileset"])
    assert ended["user_properties"] == {"crossdock.protocol": "http-mft", "crossdock.fileset": fileset}
    assert ended["totals"] == {"files": 1, "successes": 1, "failures": 0, "warnings": 0, "bytes_sent": 5, "retries": 0}
    item = ended["items"][0]
    assert (item["source"]["path"], item["destination"]["path"]) == ("sent.txt", "/in/a.txt")
    assert item["destination"]["sha256"] == stored["sha256"]
    assert stored["transfer_id"] == started["transfer_id"] == ended["transfer_id"]
    assert len({event["correlationid"] for event in (stored, started, ended)} - {""}) == 1


def test_a_refused_body_is_a_failed_transfer(lab):
    """S21: its transfer fails, and no event reports success."""
    lab.call("PUT", "/2.0/files/in/a", data=form(b"x")[:-5], headers=TYPE)
    assert _types(lab) == ["transfer.started.v1", "transfer.ended.v1"]
    ended = lab.events("transfer.ended.v1")[0]
    assert (ended["state"], ended["description"]) == ("failed", "Missing parameters or syntax error")
    assert ended["totals"]["failures"] == 1
    assert (lab.leftovers(), lab.blobs()) == ([], [])


def test_a_refusal_before_the_body_is_no_transfer(lab):
    """A request that is refused before its body has no transfer."""
    lab.put("/2.0/files/in/a", account="reader1")
    lab.put("/2.0/files/nosuch/a")
    assert lab.events() == []


def test_a_download_is_a_transfer_and_a_read(lab):
    """S28: its events and the dates of the file are committed after the last byte."""
    lab.put("/2.0/files/in/a.txt", b"hello")
    lab.get("/2.0/files/in/a.txt")
    assert _types(lab)[3:] == ["file.read.v1", "transfer.started.v1", "transfer.ended.v1"]
    ended = lab.events("transfer.ended.v1")[1]
    assert (ended["source_agent"], ended["destination_agent"]) == ({"name": "FILESTORE"}, {"name": "CLIENT"})
    assert (ended["state"], ended["items"][0]["source"]["path"]) == ("successful", "/in/a.txt")
    attributes = lab.get("/2.0/directories/in?type=files").json["files"][0]["attributes"]
    assert attributes["firstReadDate"] == attributes["lastAccessTime"] > ""


@pytest.mark.parametrize(
    ("method", "headers", "reads", "ends"),
    [
        ("HEAD", {}, 0, 0),
        ("GET", {"If-None-Match": "*"}, 0, 0),
        ("GET", {"Range": "bytes=0-1"}, 0, 1),
        ("GET", {"Range": "bytes=2-"}, 1, 1),
    ],
)
def test_what_counts_as_a_read(lab, method, headers, reads, ends):
    """S28: HEAD and 304 are no reads; a range is one if it contains the last byte."""
    lab.put("/2.0/files/in/a.txt", b"hello")
    lab.call(method, "/2.0/files/in/a.txt", headers=headers)
    assert len(lab.events("file.read.v1")) == reads
    assert len(lab.events("transfer.ended.v1")) == 1 + ends


def test_an_aborted_download_is_no_read(lab):
    """S28: the transfer of a client that leaves before the last byte fails."""
    lab.put("/2.0/files/in/a.bin", b"x" * 400_000)
    running = lab.client.get("/2.0/files/in/a.bin", environ_overrides={environ_keys.IDENTITY: identity_of("part1")})
    next(iter(running.response))
    running.close()
    assert lab.events("file.read.v1") == []
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["successful", "failed"]


@pytest.mark.parametrize("whole", [True, False])
def test_the_report_of_the_hubs_own_server_counts(lab, whole):
    """A server that reports the end of an answer decides, however much it read of the file."""
    lab.put("/2.0/files/in/a.txt", b"hello")
    finished = []
    lab.get("/2.0/files/in/a.txt", environ={environ_keys.FINISHED: finished})
    assert len(lab.events("transfer.ended.v1")) == 1
    for tell in finished:
        tell(200, 5 if whole else 2, whole)
    assert len(lab.events("file.read.v1")) == int(whole)
    assert lab.events("transfer.ended.v1")[1]["state"] == ("successful" if whole else "failed")


class _Slow:
    """A body whose second half comes after `wait()`."""

    def __init__(self, body, wait):
        self.halves, self.wait = [body[:60], body[60:]], wait

    def read(self, _size):
        if len(self.halves) == 1:
            self.wait()
        return self.halves.pop(0) if self.halves else b""


def _open_rows(lab):
    with lab.service.database.read() as connection:
        return transfers.all_open(connection)


@pytest.mark.parametrize(("body", "state"), [(form(b"hello"), "successful"), (form(b"hello")[:-4], "failed")])
def test_a_long_upload_is_announced_after_a_second(lab, body, state):
    """Its started event is committed before its end, and it ends once."""
    seen = []

    def wait():
        seen.extend(wait_until(lambda: _open_rows(lab), within=10))
        assert _types(lab) == ["transfer.started.v1"]

    environ = {"wsgi.input": _Slow(body, wait), "CONTENT_TYPE": TYPE["Content-Type"], "wsgi.input_terminated": True}
    lab.call("PUT", "/2.0/files/in/a", environ={**environ, "CONTENT_LENGTH": ""})
    assert len(seen) == 1
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == [state]
    assert len(lab.events("transfer.started.v1")) == 1
    assert _open_rows(lab) == []
    assert ANNOUNCE_AFTER_MS == 1000


def test_a_transfer_of_a_dead_process_ends_as_failed(lab):
    """The next process that starts ends it, once, with the head of the started event."""
    lab.put("/2.0/files/in/a", b"x")
    started = lab.events("transfer.started.v1")[0]
    head = json.dumps({name: value for name, value in started.items() if name not in ("type", "correlationid")})
    gone = OpenTransfer(started["transfer_id"], "0" * 32, 2**52, head, "the-request")
    lab.service.uploads.commits.run(lambda connection: transfers.add(connection, gone))
    lab.close()
    lab.open()
    assert _open_rows(lab) == []
    ended = lab.events("transfer.ended.v1")
    assert [event["state"] for event in ended] == ["successful", "failed"]
    assert (ended[1]["correlationid"], ended[1]["originator"]) == ("the-request", started["originator"])
    assert lab.service.recorder.end_dead() == 0


def test_an_open_transfer_that_cannot_be_read_keeps_no_other_open(lab):
    """One with an unreadable head is reported in the log, and the others end."""
    lab.put("/2.0/files/in/a", b"x")
    started = lab.events("transfer.started.v1")[0]
    head = json.dumps({name: value for name, value in started.items() if name not in ("type", "correlationid")})
    rows = [("1" * 48, "{}"), (started["transfer_id"], head)]
    with lab.service.database.write() as connection:
        for transfer_id, text in rows:
            transfers.add(connection, OpenTransfer(transfer_id, "0" * 32, 2**52, text, "the-request"))
    assert lab.service.recorder.end_dead() == 2
    assert [each.transfer_id for each in _open_rows(lab)] == ["1" * 48]
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["successful", "failed"]


def test_a_transfer_that_another_process_ended_is_not_ended_again(lab):
    """A process that slept beyond its lease commits its file and no second end of its transfer."""

    def wait():
        row = wait_until(lambda: _open_rows(lab), within=10)[0]
        lab.service.uploads.commits.run(lambda connection: transfers.end(connection, row.transfer_id))

    environ = {
        "wsgi.input": _Slow(form(b"x"), wait),
        "CONTENT_TYPE": TYPE["Content-Type"],
        "wsgi.input_terminated": True,
    }
    assert lab.call("PUT", "/2.0/files/in/a", environ={**environ, "CONTENT_LENGTH": ""}).status_code == 201
    assert lab.events("transfer.ended.v1") == []


@pytest.mark.parametrize("committed", [True, False])
def test_an_upload_whose_commit_got_no_answer_ends_once(lab, committed, monkeypatch):
    """Where the commit was carried out, the end in it is the only one; where it was not, the transfer has failed."""
    transaction, lost = WriteConnection.transaction, []

    @contextlib.contextmanager
    def broken(writer):
        with transaction(writer) as connection:
            yield connection
            stored = connection.exec_driver_sql("SELECT count(*) FROM files").scalar_one() > 0
            if stored and not lost and not committed:
                lost.append(True)
                raise Unavailable("the connection broke before the commit")
        if stored and not lost:
            lost.append(True)
            raise Unavailable("the connection broke before the answer to the commit")

    monkeypatch.setattr(WriteConnection, "transaction", broken)
    assert lab.put("/2.0/files/in/a").status_code == 503
    assert lost == [True]
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["successful" if committed else "failed"]
    assert lab.get("/2.0/files/in/a").status_code == (200 if committed else 404)


def test_downloads_whose_commit_got_no_answer_are_recorded_once(lab, monkeypatch):
    """The batch is committed again under the ids of its first commit, so no event of it comes twice."""
    assert lab.put("/2.0/files/in/a").status_code == 201
    transaction, lost = WriteConnection.transaction, []

    @contextlib.contextmanager
    def unanswered(writer):
        with transaction(writer) as connection:
            yield connection
            reads = connection.exec_driver_sql("SELECT count(*) FROM files WHERE first_read_at > 0").scalar_one()
        if reads and not lost:
            lost.append(True)
            raise Unavailable("the connection broke before the answer to the commit")

    monkeypatch.setattr(WriteConnection, "transaction", unanswered)
    for _ in range(3):
        assert lab.get("/2.0/files/in/a").status_code == 200
    recorder = lab.service.recorder
    wait_until(lambda: lost and not len(recorder._records), within=20, what="the records")
    wait_until(lambda: len(lab.events("file.read.v1")) == 3, within=20, what="three downloads")
    assert len({event["transfer_id"] for event in lab.events("file.read.v1")}) == 3
    assert len(lab.events("transfer.ended.v1")) == 4
