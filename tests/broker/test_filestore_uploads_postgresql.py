"""Replicas over PostgreSQL complete each resumable upload once, and a lease decides which of them may."""

import threading

import pytest

from filestore_svc.store import staged_blobs
from tests.servers.processes import wait_until
from tests.service.filestore_svc.filestore_lab import TRANSFER, Lab, identity_of
from tests.service.filestore_svc.test_completion import CONTENT, Gate, Slow, _sweep_everything
from tests.service.filestore_svc.test_resumable_uploads import head, location, patch
from tests.service.filestore_svc.vendor_words import multipart, part

INSIDE = identity_of("system", mechanism="none", transfer_id=TRANSFER)


@pytest.fixture
def replicas(tmp_path, postgresql_url):
    """Return two replicas over one database and one volume."""
    made = [Lab(tmp_path, database_url=postgresql_url) for _ in range(2)]
    yield made
    for each in made:
        each.close()


def _stopped(lab, where, offset):
    """Send the last piece to a replica whose store stands still; return the gate that lets it go on."""
    gate = Gate(lab)
    lab.service.resuming.completions.answer_within = 0.1
    assert patch(lab, where, offset, CONTENT[offset:]).status_code == 503
    assert gate.reached.wait(60)
    return gate


def test_a_completion_is_joined_while_its_lease_holds(replicas):
    """The other replica waits, and answers with the file of the first."""
    lab, other = replicas
    where, offset = location(lab, length=len(CONTENT)), len(CONTENT) - 1000
    assert patch(lab, where, 0, CONTENT[:offset]).status_code == 204
    gate = _stopped(lab, where, offset)
    other.service.resuming.completions.answer_within = 0.5
    assert patch(other, where, offset, CONTENT[offset:]).status_code == 503
    gate.open.set()
    wait_until(lambda: "Fileset" in head(other, where).headers, what="the file")
    assert (gate.count, len(other.blobs()), other.get("/2.0/files/in/a.bin").data) == (1, 1, CONTENT)


def test_a_completion_is_continued_after_its_lease(replicas):
    """A replica that is late changes nothing once another one has made the file."""
    lab, other = replicas
    where, offset = location(lab, length=len(CONTENT)), len(CONTENT) - 1000
    assert patch(lab, where, 0, CONTENT[:offset]).status_code == 204
    gate = _stopped(lab, where, offset)
    other.later(hours=1)
    fileset = patch(other, where, offset, CONTENT[offset:]).headers["Fileset"]
    gate.open.set()
    lab.service.resuming.close()
    assert [head(each, where).headers["Fileset"] for each in replicas] == [fileset, fileset]
    assert [path.name for path in other.blobs()] == [fileset]
    assert other.get("/2.0/files/in/a.bin").data == CONTENT


def test_commits_of_one_upload_at_once_have_one_result(replicas):
    """Sixteen commits through both replicas store the file once, though it may not replace another."""
    lab = replicas[0]
    headers = {"Upload-Length": "5", "X-If-Exists": "fail"}
    begun = lab.call("POST", "/internal/v1/uploads/in/a", who=INSIDE, headers=headers)
    upload = f"/internal/v1/upload/{begun.json['upload']}"
    lab.call("PATCH", upload, who=INSIDE, data=b"hello", headers={"Upload-Offset": "0"})
    assert lab.call("POST", f"{upload}/seal", who=INSIDE).status_code == 200
    answers, barrier = [], threading.Barrier(16)

    def commit(number):
        barrier.wait(60)
        answers.append(replicas[number % 2].call("POST", f"{upload}/commit", who=INSIDE))

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 16
    assert len({answer.json["fileset"] for answer in answers}) == len(lab.blobs()) == 1
    assert [event["type"] for event in lab.events()] == ["file.stored.v1"]


def test_a_slow_put_whose_lease_has_lapsed_is_refused(replicas):
    """Its blob counts as an orphan from then on, and its row is not committed."""
    lab, other = replicas
    gate = Gate(lab)

    def sweep():
        other.later(hours=3)
        _sweep_everything(other)

    gate.before, gate.after = lambda: None, sweep
    form = multipart(part("file", CONTENT, "a"))
    environ = {"wsgi.input": Slow(lab, form["data"]), "CONTENT_LENGTH": str(len(form["data"]))}
    answer = lab.call("PUT", "/2.0/files/in/a", environ={**environ, "CONTENT_TYPE": form["headers"]["Content-Type"]})
    assert (answer.status_code, lab.blobs()) == (503, [])
    assert lab.get("/2.0/files/in/a").status_code == 404
    with lab.service.database.read() as connection:
        assert staged_blobs.owned.all(connection) == []
