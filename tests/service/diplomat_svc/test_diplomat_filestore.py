"""Jobs from and to the hub's own store, through its internal interface."""

import threading

import pytest

from mft_common.identity import Signer
from tests.servers.made_secrets import secret
from tests.service.mft_common.filestore_doubles import FakeFilestore

SIGNER = Signer([secret("key-of-diplomat")])


@pytest.mark.parametrize("inbound", [True, False])
def test_jobs_move_between_the_store_and_folders_both_ways(hub, transaction, inbound):
    """Inbound and outbound with the hub's own store: bytes arrive, sources go after success, `system` asks."""
    store = FakeFilestore(SIGNER)
    there, here = {"url": "filestore:/in"}, {"url": "file:from"}
    sides = {"source": there, "destination": {"url": "file:to"}} if inbound else {"source": here, "destination": there}
    made = hub(
        transaction("move", direction="inbound" if inbound else "outbound", delete_source=True, **sides),
        filestore=store,
    ).log_in()
    if inbound:
        store.put("/in/ä b.txt", b"content")
    else:
        (made.data / "from" / "ä b.txt").write_bytes(b"content")
    with made.work():
        made.run("move")
        job = made.finished("move")
    assert job.findtext("completionStatus") == "Successful"
    assert job.findtext("fileHistory/source") == "ä b.txt"
    if inbound:
        assert (made.data / "to" / "ä b.txt").read_bytes() == b"content"
        assert store.files == {}
    else:
        assert store.content("/in/ä b.txt") == b"content"
        assert list((made.data / "from").iterdir()) == []
    assert {(account, len(transfer)) for account, transfer in store.callers} == {("system", 48)}


def test_a_job_whose_last_clean_up_fails_is_successful_nevertheless(hub, transaction):
    """Files are delivered and sources deleted when leftovers are removed: an error of that is a warning of the log."""
    store = FakeFilestore(SIGNER)

    def application(environ, start_response):
        if environ["REQUEST_METHOD"] == "DELETE" and "/uploads/" in environ["PATH_INFO"]:
            start_response("503 SERVICE UNAVAILABLE", [("Content-Length", "0")])
            return [b""]
        return store(environ, start_response)

    move = transaction("move", delete_source=True, destination={"url": "filestore:/in"})
    made = hub(move, filestore=application).log_in()
    (made.data / "from" / "a").write_bytes(b"content")
    with made.work():
        made.run("move")
        job = made.finished("move")
    assert store.content("/in/a") == b"content"
    assert list((made.data / "from").iterdir()) == []
    assert (job.findtext("completionStatus"), job.findtext("filesSuccessful")) == ("Successful", "1")
    logged = made.rows("SELECT severity, text FROM job_log")
    assert [row.severity for row in logged if "partial uploads" in row.text] == ["Warning"]


def test_a_stopped_job_leaves_no_upload_that_was_begun_without_an_answer(hub, transaction):
    """The writer does not know the id of such an upload: it is removed by the job's token, as at any other end."""
    store, begun = FakeFilestore(SIGNER), threading.Event()

    def application(environ, start_response):
        if environ["REQUEST_METHOD"] != "POST":
            return store(environ, start_response)
        store(environ, lambda *_: None)
        begun.set()
        start_response("503 SERVICE UNAVAILABLE", [("Content-Length", "0")])
        return [b""]

    move = transaction("move", destination={"url": "filestore:/in"}, retries={"file": 9, "file_delay": "1h"})
    made = hub(move, filestore=application, diplomat={"jobs": {"stop_grace": "0s"}}).log_in()
    (made.data / "from" / "a").write_bytes(b"content")
    with made.work():
        made.run("move")
        assert begun.wait(20)
    assert made.finished("move").findtext("completionStatus") == "Incomplete"
    assert store.unfinished() == 0
