"""X1: resumable uploads, by tus 1.0."""

import base64
import hashlib
import io
import json
import threading

import pytest

from tests.service.filestore_svc.filestore_lab import BASE, Lab

TUS = {"Tus-Resumable": "1.0.0"}
TYPE = {"Content-Type": "application/offset+octet-stream"}
SHA1 = base64.b64encode(hashlib.sha1(b"0123456789", usedforsecurity=False).digest()).decode()


def _metadata(path, **more):
    values = {"path": path, **more}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def create(lab, path="/in/a.bin", length=10, account="part1", **more):
    """Begin an upload; returns the answer."""
    headers = {"Upload-Length": str(length), "Upload-Metadata": _metadata(path, **more.pop("about", {}))}
    return lab.call("POST", "/2.0/uploads", account, headers={**TUS, **headers, **more.pop("headers", {})}, **more)


def location(lab, path="/in/a.bin", length=10, **more):
    """Begin an upload; returns the path of its URL."""
    answer = create(lab, path, length, **more)
    assert answer.status_code == 201, answer.data
    return answer.headers["Location"].removeprefix(BASE)


def patch(lab, where, offset, body, account="part1", **headers):
    """Send a piece."""
    sent = {**TUS, **TYPE, "Upload-Offset": str(offset), **headers}
    return lab.call("PATCH", where, account, data=body, headers={name: text for name, text in sent.items() if text})


def head(lab, where, account="part1"):
    """Ask for the offset."""
    return lab.call("HEAD", where, account, headers=TUS)


def _partial(lab):
    return list((lab.settings.state / "partial").iterdir())


def test_discovery(lab):
    """OPTIONS names version, extensions and algorithms to every client."""
    answer = lab.call("OPTIONS", "/2.0/uploads", None)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,termination,expiration,checksum"
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"


def test_a_file_in_three_pieces(lab):
    """The last byte makes the same file as a PUT; nothing is visible before."""
    about = {"filetype": "text/csv", "metadata": '{"ship":"Ada","correlationId":"c7"}'}
    created = create(lab, "/in/a.csv", 10, about=about)
    assert created.status_code == 201
    assert created.headers["Upload-Expires"].endswith("GMT")
    where = created.headers["Location"].removeprefix(BASE)
    for offset, part in ((0, b"abcd"), (4, b"efg")):
        answer = patch(lab, where, offset, part)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(offset + len(part)))
        assert lab.get("/2.0/directories/in?type=files").json["totalCount"] == "0"
        assert lab.get("/2.0/files/in/a.csv").status_code == 404
    answer = patch(lab, where, 7, b"hij")
    fileset = int(answer.headers["Fileset"])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "10")
    got = lab.get("/2.0/files/in/a.csv")
    assert (got.data, got.content_type) == (b"abcdefghij", "text/csv")
    assert got.headers["ETag"] == f'"{hashlib.sha256(b"abcdefghij").hexdigest()}"'
    listed = lab.get("/2.0/directories/in?type=files&attributes=ship,correlationId").json["files"][0]
    assert (listed["fileset"], listed["attributes"]) == (fileset, {"ship": "Ada", "correlationId": "c7"})
    assert (_partial(lab), lab.leftovers(), len(lab.blobs())) == ([], [], 1)
    assert head(lab, where).headers["Fileset"] == str(fileset)
    assert patch(lab, where, 10, b"").headers["Fileset"] == str(fileset)


def test_it_is_one_transfer(lab):
    """The transfer starts with the creation and ends with the last byte; the event of the file names it."""
    where = location(lab)
    assert [event["type"] for event in lab.events()] == ["transfer.started.v1"]
    patch(lab, where, 0, b"01234")
    patch(lab, where, 5, b"56789")
    started, stored, ended = lab.events()
    assert (stored["type"], ended["type"], ended["state"]) == ("file.stored.v1", "transfer.ended.v1", "successful")
    assert started["transfer_id"] == stored["transfer_id"] == ended["transfer_id"]
    assert ended["totals"]["bytes_sent"] == 10
    assert (ended["source_agent"], ended["destination_agent"]) == ({"name": "CLIENT"}, {"name": "FILESTORE"})


def test_head(lab):
    """HEAD returns offset and length, and must not be cached."""
    where = location(lab)
    patch(lab, where, 0, b"012")
    answer = head(lab, where)
    assert (answer.status_code, answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == (200, "3", "10")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Upload-Metadata"] == _metadata("/in/a.bin")


def test_an_empty_file(lab):
    """An empty upload is complete when it is created."""
    answer = create(lab, length=0)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "0")
    assert lab.get("/2.0/files/in/a.bin").data == b""
    assert int(answer.headers["Fileset"]) > 0


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"account": None}, 401, "Invalid username or password"),
        ({"account": "nocontract"}, 401, "Connection contract not configured"),
        ({"headers": {"Tus-Resumable": "0.2.2"}}, 412, "Tus-Resumable must be 1.0.0"),
        ({"headers": {"Upload-Length": "-1"}}, 400, "Missing parameters or syntax error"),
        ({"headers": {"Upload-Length": ""}}, 400, "Missing parameters or syntax error"),
        ({"headers": {"Upload-Metadata": "path !"}}, 400, "Missing parameters or syntax error"),
        ({"headers": {"Upload-Metadata": "other YQ=="}}, 400, "Missing parameters or syntax error"),
        ({"about": {"metadata": '{"size":"1"}'}}, 400, "Missing parameters or syntax error"),
        ({"path": "/in"}, 400, "No filename specified"),
        ({"path": "/in/sub"}, 400, "No filename specified"),
        ({"account": "reader1", "path": "/inbox/a"}, 403, "No write permission"),
        ({"headers": {"Origin": "http://elsewhere.test"}}, 403, "Foreign origin"),
        ({"path": "/nosuch/a"}, 404, "Path 'nosuch' doesn't exist"),
        ({"path": "/in/.."}, 404, "Path 'in/..' doesn't exist"),
        ({"headers": {"If-Match": '"x"'}}, 412, "Precondition failed"),
    ],
)
def test_creations_that_are_refused(lab, change, status, message):
    """Rights, path and headers are checked at the creation; each refusal has the envelope and the version."""
    answer = create(lab, **change)
    assert (answer.status_code, answer.json["message"]) == (status, message)
    assert (answer.json["result"], "timestamp" in answer.json) == ("failed", True)
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert lab.events() == []


@pytest.mark.parametrize(
    ("offset", "body", "headers", "status"),
    [
        (4, b"x", {}, 409),
        (3, b"x", {"Content-Type": "application/octet-stream"}, 415),
        (3, b"x", {"Tus-Resumable": ""}, 412),
        ("x", b"x", {}, 400),
        (3, b"x", {"Upload-Checksum": "md5 aaaa"}, 400),
        (3, b"x", {"Upload-Checksum": "sha1 ???"}, 400),
        (3, b"x", {"Upload-Checksum": f"sha1 {base64.b64encode(b'0' * 20).decode()}"}, 460),
        (3, b"x" * 8, {}, 413),
    ],
)
def test_pieces_that_are_refused(lab, offset, body, headers, status):
    """A refused piece is not kept, and the upload continues at the same offset."""
    where = location(lab)
    patch(lab, where, 0, b"012")
    answer = patch(lab, where, offset, body, **headers)
    assert (answer.status_code, answer.json["result"]) == (status, "failed")
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert head(lab, where).headers["Upload-Offset"] == "3"
    assert "Fileset" in patch(lab, where, 3, b"3456789").headers
    assert lab.get("/2.0/files/in/a.bin").data == b"0123456789"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_checksums(lab, algorithm):
    """A piece with a matching digest is accepted, also the last one."""
    where = location(lab)
    for offset, part in ((0, b"01234"), (5, b"56789")):
        digest = base64.b64encode(hashlib.new(algorithm, part).digest()).decode()
        assert patch(lab, where, offset, part, **{"Upload-Checksum": f"{algorithm} {digest}"}).status_code == 204
    assert lab.get("/2.0/files/in/a.bin").data == b"0123456789"


def test_an_upload_is_its_owners_alone(tmp_path):
    """Other accounts get 404 for every call."""
    lab = Lab(tmp_path, folders={"/in": {"access": {"part1": ["write"], "part3": ["write", "read"]}}})
    where = location(lab)
    answers = [
        head(lab, where, "part3"), patch(lab, where, 0, b"x", "part3"), lab.call("DELETE", where, "part3", headers=TUS),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert answers[1].json["message"] == f"{where.rpartition('/')[2]} doesn't exist"
    assert head(lab, where).status_code == 200
    lab.close()


def test_what_arrived_before_a_cut_is_kept(lab):
    """The offset counts the bytes of a piece that was cut."""
    where = location(lab)
    environ = {"wsgi.input": io.BytesIO(b"0123"), "CONTENT_LENGTH": "9"}
    cut = lab.call(
        "PATCH", where, headers={**TUS, "Upload-Offset": "0"}, content_type=TYPE["Content-Type"], environ=environ
    )
    assert cut.status_code == 400
    assert head(lab, where).headers["Upload-Offset"] == "4"


def test_it_survives_a_restart(lab):
    """A new process continues at the offset, with the digest of the bytes before it."""
    where = location(lab)
    patch(lab, where, 0, b"01234")
    lab.close()
    lab.open()
    assert head(lab, where).headers["Upload-Offset"] == "5"
    assert "Fileset" in patch(lab, where, 5, b"56789").headers
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["successful"]
    assert lab.get("/2.0/files/in/a.bin").headers["ETag"] == f'"{hashlib.sha256(b"0123456789").hexdigest()}"'


def test_termination(lab):
    """DELETE is 204, later calls are 404; no bytes stay, and the transfer was cancelled."""
    where = location(lab)
    patch(lab, where, 0, b"01234")
    assert lab.call("DELETE", where, headers=TUS).status_code == 204
    assert head(lab, where).status_code == 404
    assert patch(lab, where, 5, b"56789").status_code == 404
    ended = lab.events("transfer.ended.v1")
    assert [(event["state"], event["totals"]["successes"]) for event in ended] == [("cancelled", 0)]
    assert _partial(lab) == []


def test_the_end_of_a_finished_upload_leaves_its_file(lab):
    """DELETE removes the upload, and publishes no second end."""
    where = location(lab)
    patch(lab, where, 0, b"0123456789")
    assert lab.call("DELETE", where, headers=TUS).status_code == 204
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["successful"]
    assert lab.get("/2.0/files/in/a.bin").data == b"0123456789"


def test_expiry(tmp_path):
    """An expired upload is 404 at once; the sweeper ends its transfer as cancelled."""
    lab = Lab(tmp_path, uploads={"expire": "1h"})
    where = location(lab)
    patch(lab, where, 0, b"01234")
    lab.later(hours=1)
    assert head(lab, where).status_code == 404
    assert (lab.service.resuming.expire(), lab.service.resuming.expire()) == (1, 0)
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["cancelled"]
    assert _partial(lab) == []
    lab.close()


@pytest.mark.parametrize("checksum", [{}, {"Upload-Checksum": f"sha1 {SHA1}"}])
def test_an_upload_does_not_expire_while_bytes_arrive(tmp_path, checksum):
    """A single piece may take longer than the time after which an upload expires: that counts from the last byte."""
    lab = Lab(tmp_path, uploads={"expire": "1h"})
    where, expired = location(lab), []

    class Slow:
        rest = [b"01234", b"56", b"78", b"9"]  # noqa: RUF012

        def read(self, _size):
            lab.later(hours=0.4)
            expired.append(lab.service.resuming.expire())
            return self.rest.pop(0) if self.rest else b""

    answer = lab.call(
        "PATCH", where, headers={**TUS, **TYPE, "Upload-Offset": "0", **checksum},
        environ={"wsgi.input": Slow(), "wsgi.input_terminated": True},
    )  # fmt: skip
    assert (answer.status_code, sum(expired)) == (204, 0)
    assert lab.get("/2.0/files/in/a.bin").data == b"0123456789"
    lab.close()


def test_bytes_without_an_upload_are_collected(lab):
    """Bytes that a dead process has left are removed by their age."""
    where = location(lab)
    patch(lab, where, 0, b"01")
    (lab.settings.state / "partial" / "0123456789abcdef0123456789abcdef").write_bytes(b"x")
    assert lab.service.resuming.orphans(-1) == 1
    assert "Fileset" in patch(lab, where, 2, b"23456789").headers


def test_the_last_who_comes_goes_on(lab):
    """A request that a later one has overtaken keeps no further bytes and damages none."""
    where = location(lab)

    class Overtaken:
        def __init__(self):
            self.parts = [b"01", b"xx", b""]

        def read(self, _size):
            if len(self.parts) == 2:
                other = threading.Thread(target=patch, args=(lab, where, 0, b"0123456"))
                other.start()
                other.join()
            return self.parts.pop(0)

    environ = {"wsgi.input": Overtaken(), "CONTENT_LENGTH": "4"}
    late = lab.call(
        "PATCH", where, headers={**TUS, "Upload-Offset": "0"}, content_type=TYPE["Content-Type"], environ=environ
    )
    assert late.status_code == 409
    patch(lab, where, 7, b"789")
    assert lab.get("/2.0/files/in/a.bin").data == b"0123456789"


def test_a_name_that_was_taken_meanwhile(tmp_path):
    """The last piece is refused as a PUT would be: 409, a failed transfer, and no bytes left."""
    lab = Lab(tmp_path, on_conflict="reject")
    where = location(lab)
    lab.put("/2.0/files/in/a.bin", b"first")
    assert patch(lab, where, 0, b"0123456789").status_code == 409
    assert head(lab, where).status_code == 404
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["successful", "failed"]
    assert (_partial(lab), len(lab.blobs())) == ([], 1)
    lab.close()


def test_a_right_that_was_taken_away(lab):
    """Each piece needs the right to write."""
    where = location(lab)
    lab.close()
    lab.document = {"http_mft": {**lab.document["http_mft"], "folders": {"/in": {"access": {"part1": ["read"]}}}}}
    lab.open()
    assert patch(lab, where, 0, b"x").json["message"] == "No write permission"


def test_a_method_in_a_header(lab):
    """Clients without PATCH send POST with X-HTTP-Method-Override."""
    where = location(lab)
    headers = {**TUS, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    answer = lab.call("POST", where, headers=headers, data=b"01", content_type=TYPE["Content-Type"])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "2")
    assert lab.call("POST", where, headers=TUS).json["message"] == "Not found"


def test_the_longest_file(tmp_path):
    """A length over the limit is refused at the creation, and discovery names the limit."""
    lab = Lab(tmp_path, max_file_size="1KiB")
    assert lab.call("OPTIONS", "/2.0/uploads").headers["Tus-Max-Size"] == "1024"
    assert create(lab, length=1025).json["message"] == "Request too large"
    assert create(lab, length=1024).status_code == 201
    assert json.loads(create(lab, length=1025).data)["errorType"] == "request_syntax"
    lab.close()
