"""The internal interface, for the hub's other services."""

import hashlib

import pytest

from filestore_svc.operations.access import Caller
from tests.servers.processes import wait_until
from tests.service.filestore_svc.filestore_lab import TRANSFER, identity_of

SYSTEM = identity_of("system", mechanism="none")
INSIDE = identity_of("system", mechanism="none", transfer_id=TRANSFER)
SHA256 = hashlib.sha256(b"hello").hexdigest()


def _put(lab, path="/in/a", who=INSIDE, **headers):
    return lab.store(path, b"hello", who, **headers)


def _begin(lab, path="/in/a", length=5, **headers):
    """Begin an upload; return its path."""
    told = {"Upload-Length": str(length), **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = lab.call("POST", f"/internal/v1/uploads{path}", who=INSIDE, headers=told)
    assert answer.status_code == 201
    return f"/internal/v1/upload/{answer.json['upload']}"


def _append(lab, upload, content=b"hello", offset=0):
    return lab.call("PATCH", upload, who=INSIDE, data=content, headers={"Upload-Offset": str(offset)})


@pytest.mark.parametrize("account", ["part1", None, "nocontract"])
def test_other_accounts_are_refused(lab, account):
    """Every call of another account is 403."""
    upload = _begin(lab)
    for method, path in (
        ("GET", "/internal/v1/folders/in"),
        ("GET", "/internal/v1/files/in/a"),
        ("DELETE", "/internal/v1/files/in/a"),
        ("POST", "/internal/v1/uploads/in/a"),
        ("DELETE", "/internal/v1/uploads/in?token=A"),
        ("PATCH", upload),
        ("POST", f"{upload}/seal"),
        ("POST", f"{upload}/commit"),
        ("DELETE", upload),
    ):
        headers = {"Upload-Length": "5", "Upload-Offset": "0"}
        answer = lab.call(method, path, account, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (403, "authorization")


def test_storing_and_fetching(lab):
    """A file is stored with its type and described by its digest, and comes back with both."""
    answer = _put(lab, X_Datatype="text/csv")
    assert answer.status_code == 201
    assert answer.json == {"fileset": answer.json["fileset"], "size": 5, "sha256": SHA256, "replaced": None}
    assert _put(lab).json["replaced"] == answer.json["fileset"]
    found = lab.call("GET", "/internal/v1/files/in/a", who=SYSTEM)
    assert (found.data, found.headers["X-Sha256"], found.headers["Content-Length"]) == (b"hello", SHA256, "5")
    assert found.headers["X-Fileset"] != str(answer.json["fileset"])


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/in/a", {"Upload_Length": "x"}, 400),
        ("/in/a", {"X_If_Exists": "maybe"}, 400),
        ("/in/a", {"X_Token": "../.."}, 400),
        ("/in", {}, 400),
        ("/nosuch/a", {}, 404),
        ("/in/..", {}, 404),
        ("/in/there", {"X_If_Exists": "fail"}, 409),
    ],
)
def test_refused_uploads(lab, path, headers, status):
    """400 for a malformed request, 404 for a missing folder, 409 for a name that is taken."""
    _put(lab, "/in/there")
    assert _put(lab, path, **headers).status_code == status


def test_nothing_is_visible_before_the_commit(lab):
    """Begun, filled and sealed, an upload is durable and is no file; the commit makes it one."""
    former = _put(lab).json["fileset"]
    upload = _begin(lab)
    assert lab.call("POST", f"{upload}/seal", who=INSIDE).status_code == 409
    assert _append(lab, upload, b"he").json == {"offset": 2}
    assert lab.call("POST", f"{upload}/commit", who=INSIDE).status_code == 409
    assert _append(lab, upload, b"llo", 2).json == {"offset": 5}
    assert lab.call("POST", f"{upload}/seal", who=INSIDE).json == {"size": 5, "sha256": SHA256}
    assert lab.call("GET", "/internal/v1/files/in/a", who=SYSTEM).headers["X-Fileset"] == str(former)
    stored = lab.call("POST", f"{upload}/commit", who=INSIDE).json
    assert stored["replaced"] == former
    assert lab.call("GET", "/internal/v1/files/in/a", who=SYSTEM).headers["X-Fileset"] == str(stored["fileset"])


def test_a_repeated_commit_returns_the_first_result(lab):
    """The commit can be repeated in another process, and where the name may not be replaced."""
    upload = _begin(lab, X_If_Exists="fail")
    _append(lab, upload)
    first = lab.call("POST", f"{upload}/commit", who=INSIDE)
    lab.close()
    lab.open()
    second = lab.call("POST", f"{upload}/commit", who=INSIDE)
    assert (first.status_code, second.status_code, second.json) == (201, 201, first.json)
    assert [event["type"] for event in lab.events()] == ["file.stored.v1"]


def test_two_commits_of_one_upload_at_once(lab):
    """The second one, which still saw the upload as sealed, returns the file of the first and does not meet it."""
    resuming = lab.service.resuming
    upload = _begin(lab, X_If_Exists="fail")
    _append(lab, upload)
    lab.call("POST", f"{upload}/seal", who=INSIDE)
    sealed = resuming.find(Caller(INSIDE, "system"), upload.rpartition("/")[2])
    stored = lab.call("POST", f"{upload}/commit", who=INSIDE).json
    again = resuming.completions.commit(sealed)
    assert (sealed.state, again.state, again.fileset) == ("sealed", "complete", stored["fileset"])
    assert lab.call("POST", f"{upload}/commit", who=INSIDE).json == stored
    assert lab.call("GET", "/internal/v1/files/in/a", who=SYSTEM).data == b"hello"
    assert [event["type"] for event in lab.events()].count("file.stored.v1") == 1


def test_an_abort_ends_an_upload_at_every_step(lab):
    """An abort before the commit leaves nothing; after it the file stays."""
    for steps in ((), ("PATCH",), ("PATCH", "/seal")):
        upload = _begin(lab)
        for step in steps:
            _append(lab, upload) if step == "PATCH" else lab.call("POST", upload + step, who=INSIDE)
        assert lab.call("DELETE", upload, who=INSIDE).json == {"stored": None}
        assert lab.call("POST", f"{upload}/commit", who=INSIDE).status_code == 404
        # The last piece starts the seal in a thread of its own, which removes its blob when it finds the upload gone.
        wait_until(lambda: not lab.blobs() and not list((lab.settings.state / "partial").iterdir()), what="no bytes")
    upload = _begin(lab)
    _append(lab, upload)
    stored = lab.call("POST", f"{upload}/commit", who=INSIDE).json
    assert lab.call("DELETE", upload, who=INSIDE).json == {"stored": stored}
    assert lab.call("GET", "/internal/v1/files/in/a", who=SYSTEM).data == b"hello"


def test_a_sealed_upload_outlives_its_process(lab):
    """Another process commits the bytes that the first one sealed."""
    upload = _begin(lab)
    _append(lab, upload)
    lab.call("POST", f"{upload}/seal", who=INSIDE)
    lab.close()
    lab.open()
    assert lab.call("POST", f"{upload}/commit", who=INSIDE).json["sha256"] == SHA256
    assert lab.call("GET", "/internal/v1/files/in/a", who=SYSTEM).data == b"hello"


def test_deleting_a_content(lab):
    """With a fileset only that content is deleted."""
    fileset = _put(lab).json["fileset"]
    assert lab.call("DELETE", f"/internal/v1/files/in/a?fileset={fileset + 1}", who=INSIDE).status_code == 409
    assert lab.call("DELETE", f"/internal/v1/files/in/a?fileset={fileset}", who=INSIDE).status_code == 200
    assert lab.call("DELETE", "/internal/v1/files/in/a", who=INSIDE).status_code == 404


def test_listing_by_name(lab):
    """Names with `*` and `?`, page by page after the last one."""
    for name in ("a.txt", "b.txt", "c.csv", "d_txt"):
        _put(lab, f"/in/{name}")

    def names(query):
        answer = lab.call("GET", f"/internal/v1/folders/in?{query}", who=SYSTEM)
        return [file["name"] for file in answer.json["files"]]

    assert names("") == ["a.txt", "b.txt", "c.csv", "d_txt"]
    assert names("pattern=?.txt&limit=1") == ["a.txt"]
    assert names("pattern=*.txt&after=a.txt") == ["b.txt"]
    assert names("pattern=*_*") == ["d_txt"]
    assert lab.call("GET", "/internal/v1/folders/nosuch", who=SYSTEM).status_code == 404
    file = lab.call("GET", "/internal/v1/folders/in?limit=1", who=SYSTEM).json["files"][0]
    assert set(file) == {"path", "name", "fileset", "size", "sha256", "modified_at"}


def test_the_bytes_of_another_transfer(lab):
    """With a transfer id the file's events carry it, and no transfer of filestore's own is told."""
    fileset = _put(lab).json["fileset"]
    lab.call("GET", "/internal/v1/files/in/a", who=INSIDE)
    lab.call("DELETE", f"/internal/v1/files/in/a?fileset={fileset}", who=INSIDE)
    events = lab.events()
    assert [event["type"] for event in events] == ["file.stored.v1", "file.deleted.v1", "file.read.v1"] or [
        event["type"] for event in events
    ] == ["file.stored.v1", "file.read.v1", "file.deleted.v1"]
    assert {event["transfer_id"] for event in events} == {TRANSFER}


def test_without_a_transfer_it_is_one(lab):
    """A call without a transfer id is recorded as a transfer of its own."""
    _put(lab, who=SYSTEM)
    assert [event["type"] for event in lab.events()] == ["transfer.started.v1", "file.stored.v1", "transfer.ended.v1"]
