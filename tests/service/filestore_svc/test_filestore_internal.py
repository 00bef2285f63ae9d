"""The interface for the hub's other services."""

import hashlib

import pytest

from mft_common.transfer import Entry, Exists, FilestoreUpstream, NotFound, Patterns
from tests.service.filestore_svc.filestore_lab import TRANSFER, whoever

SYSTEM = whoever("system", mechanism="none")
INSIDE = whoever("system", mechanism="none", transfer_id=TRANSFER)
SHA256 = hashlib.sha256(b"hello").hexdigest()


def _put(lab, path="/in/a", who=INSIDE, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return lab.call("PUT", f"/internal/v1/files{path}", who=who, data=b"hello", headers=headers)


@pytest.mark.parametrize("account", ["part1", None, "nocontract"])
def test_nobody_else_may(lab, account):
    """Only the account `system` gets in, whatever is asked."""
    for method, path in (
        ("GET", "/folders/in"),
        ("GET", "/files/in/a"),
        ("PUT", "/files/in/a"),
        ("DELETE", "/files/in/a"),
    ):
        answer = lab.call(method, f"/internal/v1{path}", account)
        assert (answer.status_code, answer.json["error"]) == (403, "authorization")


def test_storing_and_fetching(lab):
    """A raw body is stored with its type and told by its digest, and comes back with both."""
    answer = _put(lab, X_Sha256=SHA256, X_Datatype="text/csv")
    assert answer.status_code == 201
    assert answer.json == {"fileset": answer.json["fileset"], "size": 5, "sha256": SHA256, "replaced": None}
    assert _put(lab).json["replaced"] == answer.json["fileset"]
    found = lab.call("GET", "/internal/v1/files/in/a", who=SYSTEM)
    assert (found.data, found.headers["X-Sha256"], found.headers["Content-Length"]) == (b"hello", SHA256, "5")
    assert found.headers["X-Fileset"] != str(answer.json["fileset"])


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/in/a", {"X_Sha256": "0" * 64}, 400),
        ("/in/a", {"X_Sha256": "zz"}, 400),
        ("/in/a", {"X_If_Exists": "maybe"}, 400),
        ("/in", {}, 400),
        ("/nosuch/a", {}, 404),
        ("/in/..", {}, 404),
        ("/in/there", {"X_If_Exists": "fail"}, 409),
    ],
)
def test_refused_stores(lab, path, headers, status):
    """400 for what makes no sense, 404, and 409 for a name that is taken."""
    _put(lab, "/in/there")
    assert _put(lab, path, **headers).status_code == status


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
    """A system call that names no transfer is told as one like everybody's."""
    _put(lab, who=SYSTEM)
    assert [event["type"] for event in lab.events()] == ["file.stored.v1", "transfer.started.v1", "transfer.ended.v1"]


def test_the_endpoint_of_the_transfer_engine(lab):
    """`filestore:` of mft_common.transfer speaks this interface."""
    endpoint = FilestoreUpstream(lab.client.application).open("/in", TRANSFER)
    writer = endpoint.writer("näme.txt", token="t", size=5)
    writer.begin()
    writer.fill(iter([b"he", b"llo"]))
    writer.seal(5, SHA256, "sha256")
    stored = writer.commit()
    entries = list(endpoint.list(Patterns(("*.txt",))))
    assert [(entry.name, entry.size, entry.sha256) for entry in entries] == [("näme.txt", 5, SHA256)]
    reader = endpoint.open(entries[0])
    assert b"".join(reader.blocks(2)) == b"hello"
    reader.check()
    reader.close()
    with pytest.raises(Exists):
        endpoint.writer("näme.txt", token="t", size=5, if_exists="fail").fill(iter([b"hello"]))
    endpoint.delete(entries[0])
    with pytest.raises(NotFound):
        endpoint.open(Entry("näme.txt", 5, 0, stored.version))
    endpoint.close()
