"""X1: a resumable upload becomes a file once, whichever process took its pieces and whoever asks for it again."""

import itertools
import random
import threading

import pytest

from filestore_svc.store import staged_blobs
from tests.servers.processes import wait_until
from tests.service.filestore_svc.filestore_lab import Lab, form
from tests.service.filestore_svc.test_resumable_uploads import TUS, head, location, patch

CONTENT = random.Random(7).randbytes(3_000_000)
MULTIPART = "multipart/form-data; boundary=XbX"


class Gate:
    """Stands before or after the step that makes a blob durable, and counts how often that was begun."""

    def __init__(self, lab):
        self.open, self.reached, self.count = threading.Event(), threading.Event(), 0
        self.before, self.after = self.wait, lambda: None
        self._keep, lab.service.uploads.blobs.keep = lab.service.uploads.blobs.keep, self.keep

    def wait(self):
        """Stop until the gate is open."""
        self.reached.set()
        assert self.open.wait(30)

    def keep(self, staging):
        """Make a blob durable, in place of the store's own method."""
        self.count += 1
        self.before()
        self._keep(staging)
        self.after()


@pytest.fixture
def labs(tmp_path):
    """Two processes of one service: the second one over the same data."""
    made = [Lab(tmp_path), Lab(tmp_path)]
    yield made
    for each in made:
        each.close()


def _begun(lab):
    """Begin an upload and send all but its last 1,000 bytes; return its path and the offset."""
    where, offset = location(lab, length=len(CONTENT)), len(CONTENT) - 1000
    assert patch(lab, where, 0, CONTENT[:offset]).status_code == 204
    return where, offset


def _record_digested(lab, sizes):
    """Note of how many bytes the digest is known when an upload is assembled."""
    whole = lab.service.uploads.blobs.whole

    def recorded(*arguments, digested, **more):
        sizes.append(digested.size)
        return whole(*arguments, digested=digested, **more)

    lab.service.uploads.blobs.whole = recorded


def _ends(lab):
    """Return how the uploads ended."""
    ended = lab.events("transfer.ended.v1")
    return [event["state"] for event in ended if event["destination_agent"] == {"name": "FILESTORE"}]


def test_pieces_that_two_processes_take_in_turn(labs):
    """Each process continues the digest of the one before, so that no byte is read again at the end."""
    where, digested = location(labs[0], length=len(CONTENT)), []
    for lab in labs:
        _record_digested(lab, digested)
    edges = [*range(0, len(CONTENT), 700_001), len(CONTENT)]
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        answer = patch(labs[number % 2], where, start, CONTENT[start:stop])
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(stop))
    assert ("Fileset" in answer.headers, digested) == (True, [len(CONTENT)])
    assert labs[0].get("/2.0/files/in/a.bin").data == CONTENT
    assert _ends(labs[0]) == ["successful"]


def test_a_last_piece_that_is_sent_again_joins_the_completion(labs):
    """A completion that takes long answers 503 in time; the same piece again, to any process, gets its result."""
    lab, other = labs
    where, offset = _begun(lab)
    gate = Gate(lab)
    for each in labs:
        each.service.resuming.completions.answer_within = 0.1
    for each in (lab, lab, other, lab):
        answer = patch(each, where, offset, CONTENT[offset:])
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert head(each, where).headers["Upload-Offset"] == str(offset)
        assert each.get("/2.0/files/in/a.bin").status_code == 404
    gate.open.set()
    for each in labs:
        each.service.resuming.completions.answer_within = 20.0
    answers = [patch(other, where, offset, CONTENT[offset:]), head(lab, where)]
    assert [answer.headers["Upload-Offset"] for answer in answers] == [str(len(CONTENT))] * 2
    assert answers[0].headers["Fileset"] == answers[1].headers["Fileset"]
    assert (gate.count, lab.get("/2.0/files/in/a.bin").data) == (1, CONTENT)
    assert _ends(lab) == ["successful"]


def test_a_client_that_gives_up_finds_the_file(lab):
    """The completion goes on without the request that began it."""
    where, offset = _begun(lab)
    gate = Gate(lab)
    lab.service.resuming.completions.answer_within = 0.0
    assert patch(lab, where, offset, CONTENT[offset:]).status_code == 503
    gate.open.set()
    wait_until(lambda: "Fileset" in head(lab, where).headers, what="the file of the upload")
    assert lab.get("/2.0/files/in/a.bin").data == CONTENT


def test_a_completion_whose_process_died_is_continued(labs):
    """Another process makes the file, and the first one, should it live after all, changes nothing."""
    lab, other = labs
    where, offset = _begun(lab)
    gate = Gate(lab)
    lab.service.resuming.completions.answer_within = 0.1
    assert patch(lab, where, offset, CONTENT[offset:]).status_code == 503
    assert gate.reached.wait(60)
    lab.service.processes.close()
    answer = patch(other, where, offset, CONTENT[offset:])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(CONTENT)))
    gate.open.set()
    lab.service.resuming.close()
    assert other.get("/2.0/files/in/a.bin").data == CONTENT
    assert [path.name for path in other.blobs()] == [answer.headers["Fileset"]]
    assert _ends(other) == ["successful"]


def test_a_process_that_lost_a_completion_meets_no_file_of_its_own(tmp_path):
    """An upload that may not replace a file is complete for the process that was overtaken as well."""
    lab, other = labs = [Lab(tmp_path, on_conflict="reject"), Lab(tmp_path, on_conflict="reject")]
    where, offset = _begun(lab)
    gate = Gate(lab)
    gate.before, gate.after = lambda: None, gate.wait
    lab.service.resuming.completions.answer_within = 0.1
    assert patch(lab, where, offset, CONTENT[offset:]).status_code == 503
    assert gate.reached.wait(60)
    lab.service.processes.close()
    fileset = patch(other, where, offset, CONTENT[offset:]).headers["Fileset"]
    gate.open.set()
    lab.service.resuming.close()
    assert [head(each, where).headers["Fileset"] for each in labs] == [fileset, fileset]
    assert ([path.name for path in other.blobs()], _ends(other)) == ([fileset], ["successful"])
    for each in labs:
        each.close()


def test_an_upload_that_is_ended_while_it_is_completed(lab):
    """DELETE wins: no file, no blob, and one transfer that was cancelled."""
    where, offset = _begun(lab)
    gate = Gate(lab)
    lab.service.resuming.completions.answer_within = 0.1
    assert patch(lab, where, offset, CONTENT[offset:]).status_code == 503
    assert lab.call("DELETE", where, headers=TUS).status_code == 204
    gate.open.set()
    lab.service.resuming.close()
    assert (lab.get("/2.0/files/in/a.bin").status_code, lab.blobs()) == (404, [])
    assert _ends(lab) == ["cancelled"]
    assert list((lab.settings.state / "partial").iterdir()) == []


def test_a_last_piece_whose_upload_is_ended_meanwhile(stored):
    """It is no error of the hub, whether its bytes go before or after they are made durable."""
    gate = Gate(stored)
    for before in (True, False):
        where, offset = _begun(stored)
        end = lambda where=where: stored.call("DELETE", where, headers=TUS)  # noqa: E731
        gate.before, gate.after = (end, lambda: None) if before else (lambda: None, end)
        answer = patch(stored, where, offset, CONTENT[offset:])
        assert answer.status_code in (404, 409)
    assert stored.get("/2.0/files/in/a.bin").status_code == 404


def test_a_failed_completion_is_begun_anew_by_the_next_request(lab):
    """Its bytes stay: the last piece need not even be whole when it is sent again."""
    where, offset = _begun(lab)
    gate = Gate(lab)
    gate.before = lambda: (_ for _ in ()).throw(OSError("the store is away"))
    assert patch(lab, where, offset, CONTENT[offset:]).status_code == 503
    gate.before = lambda: None
    assert "Fileset" in patch(lab, where, offset, CONTENT[offset:]).headers
    assert (gate.count, lab.get("/2.0/files/in/a.bin").data) == (2, CONTENT)


def _sweep_everything(lab):
    """Walk the store for orphans, as if every blob were old."""
    lab.service.uploads.forget_dead()
    assert lab.service.sweeping.orphans.step(-3600) is not None


def test_an_upload_that_outlives_the_sweeper(stored):
    """Bytes that are durable before their row is committed are no orphans, however old their blob is."""
    gate = Gate(stored)
    gate.before, gate.after = lambda: stored.later(hours=2), lambda: _sweep_everything(stored)
    where = location(stored, length=len(CONTENT))
    assert patch(stored, where, 0, CONTENT).status_code == 204
    assert stored.get("/2.0/files/in/a.bin").data == CONTENT


class Slow:
    """The body of an upload that takes two hours."""

    def __init__(self, lab, content):
        self.lab, self.blocks = lab, [content[:1000], content[1000:]]

    def read(self, _size):
        """Read on, an hour later."""
        self.lab.later(hours=1)
        return self.blocks.pop(0)


def _put_slowly(lab, content=CONTENT):
    body = form(content)
    environ = {"wsgi.input": Slow(lab, body), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": MULTIPART}
    return lab.call("PUT", "/2.0/files/in/a.bin", environ=environ)


def test_a_slow_put_that_outlives_the_sweeper(stored):
    """The same for an upload in one request."""
    gate = Gate(stored)
    gate.before, gate.after = lambda: None, lambda: _sweep_everything(stored)
    assert _put_slowly(stored).status_code == 201
    assert stored.get("/2.0/files/in/a.bin").data == CONTENT
    with stored.service.database.read() as connection:
        assert staged_blobs.owned.all(connection) == []


def test_a_put_whose_blob_was_swept_after_all_is_refused(stored):
    """A process that was taken for dead commits no row without bytes; the former file stays."""
    assert stored.put("/2.0/files/in/a.bin", b"former").status_code == 201
    gate = Gate(stored)

    def lapse():
        with stored.service.database.read() as connection:
            ((fileset, _, _),) = staged_blobs.owned.all(connection)
        stored.service.uploads.commits.run(lambda write: staged_blobs.remove(write, fileset))
        _sweep_everything(stored)

    gate.before, gate.after = lambda: None, lapse
    assert _put_slowly(stored).status_code == 503
    assert stored.get("/2.0/files/in/a.bin").data == b"former"


def test_a_completion_that_no_thread_can_be_started_for(lab, monkeypatch):
    """The client is told to come again, and the completion begins anew where there are threads again."""
    where, offset = _begun(lab)
    lab.service.resuming.completions.answer_within = 0.2
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == "upload-completion":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert patch(lab, where, offset, CONTENT[offset:]).status_code == 503
    lab.service.resuming.completions.answer_within = 20.0
    assert patch(lab, where, offset, CONTENT[offset:]).status_code == 204
    assert lab.get("/2.0/files/in/a.bin").data == CONTENT


def test_a_completion_that_fails_for_an_unknown_reason_is_continued_by_any_process(labs):
    """The failed process lives on, and the upload must not wait for its end."""
    lab, other = labs
    where, offset = _begun(lab)

    def whole(*_arguments, **_more):
        raise MemoryError

    lab.service.uploads.blobs.whole = whole
    assert patch(lab, where, offset, CONTENT[offset:]).status_code == 500
    other.service.resuming.completions.answer_within = 60.0
    assert patch(other, where, offset, CONTENT[offset:]).status_code == 204
    assert other.get("/2.0/files/in/a.bin").data == CONTENT
