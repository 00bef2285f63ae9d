"""3.2: PUT /2.0/files/<path>/<file>."""

import base64
import hashlib
import re

import pytest

from tests.service.filestore_svc.filestore_lab import BASE, Lab, form, whoever

T = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
E_SYN = {"result": "failed", "message": "Missing parameters or syntax error", "errorType": "request_syntax"}


def _told(answer):
    body = dict(answer.json)
    assert T.fullmatch(body.pop("timestamp"))
    return answer.status_code, body


def test_an_upload(lab):
    """6, C3: 201 with exactly result, timestamp, message and a fileset that is a number."""
    answer = lab.put("/2.0/files/in/a.txt", b"hello")
    assert answer.status_code == 201
    assert list(answer.json) == ["result", "timestamp", "message", "fileset"]
    assert answer.json["message"] == "Upload successful"
    assert 1 <= answer.json["fileset"] < 2**53
    found = lab.get("/2.0/files/in/a.txt")
    assert (found.data, found.headers["Content-Type"]) == (b"hello", "text/plain")


@pytest.mark.parametrize("path", ["/in", "/in/", "/", "", "/nosuch", "/in/sub", "/in/x/"])
def test_only_a_folder(lab, path):
    """7: E-NOFILE where no file is named, also where a folder has that very path."""
    status, body = _told(lab.put(f"/2.0/files{path}"))
    assert (status, body["message"], body["errorType"]) == (400, "No filename specified", "request_syntax")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, form(b"x")),
        ("text/plain", form(b"x")),
        ("multipart/form-data", form(b"x")),
        ("multipart/form-data; boundary=other", form(b"x")),
        ("multipart/form-data; boundary=XbX", form(b"x").replace(b"file", b"data")),
        ("multipart/form-data; boundary=XbX", b""),
        ("multipart/form-data; boundary=XbX", form(b"x")[:-11] + b"\r\n" + form(b"y")),
    ],
)
def test_bodies_that_are_no_upload(lab, content_type, body):
    """8: E-SYN, and nothing of it stays."""
    headers = {"Content-Type": content_type} if content_type else {}
    answer = lab.call("PUT", "/2.0/files/in/a.txt", data=body, headers=headers)
    assert _told(answer) == (400, E_SYN)
    assert (lab.leftovers(), lab.blobs()) == ([], [])


def test_refusals(lab):
    """9 to 12: E-AUTH, E-CONF, E-W, E-PATH, each with its exact text."""
    told = [_told(lab.put("/2.0/files/in/a", account=None)), _told(lab.put("/2.0/files/in/a", account="nocontract"))]
    told += [_told(lab.put("/2.0/files/inbox/a", account="reader1")), _told(lab.put("/2.0/files/nosuch/a"))]
    assert [(status, body["message"], body["errorType"]) for status, body in told] == [
        (401, "Invalid username or password", "authentication"),
        (401, "Connection contract not configured", "configuration"),
        (403, "No write permission", "authorization"),
        (404, "Path 'nosuch' doesn't exist", "io"),
    ]


def test_the_name_is_that_of_the_url(lab):
    """6: whatever file name the part carries, and also when it carries none."""
    headers = {"Content-Type": "multipart/form-data; boundary=XbX"}
    body = form(b"x").replace(b'; filename="a"', b"")
    assert lab.call("PUT", "/2.0/files/in/n%C3%A4me", data=body, headers=headers).status_code == 201
    listed = lab.get("/2.0/directories/in?type=files").json["files"][0]
    assert (listed["id"], listed["uri"]) == ("/in/näme", f"{BASE}/2.0/files/in/n%C3%A4me")
    assert listed["attributes"]["datatype"] == "application/octet-stream"


def test_replacing(lab):
    """S15: the new content has a new fileset, and the old bytes go when no reader can need them."""
    first = lab.put("/2.0/files/in/a", b"one").json["fileset"]
    second = lab.put("/2.0/files/in/a", b"two").json["fileset"]
    assert first != second
    assert lab.get("/2.0/files/in/a").data == b"two"
    assert [event.get("replaced") for event in lab.events("file.stored.v1")] == [None, first]
    assert lab.service.sweeping.delete_blobs() == 0
    assert lab.service.sweeping.delete_blobs(-1) == 1
    assert [blob.name for blob in lab.blobs()] == [str(second)]


def test_on_conflict_reject(tmp_path):
    """S15: 409 where the configuration says so."""
    lab = Lab(tmp_path, on_conflict="reject")
    assert lab.put("/2.0/files/in/a").status_code == 201
    status, body = _told(lab.put("/2.0/files/in/a"))
    assert (status, body["message"], body["errorType"]) == (409, "File 'a' already exists", "io")
    lab.close()


def test_digests(lab):
    """S17: a promised digest is checked, of the request and of the part."""
    sha = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    md5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    good = ({"Repr-Digest": f"sha-256=:{sha}:"}, {"Content-MD5": md5})
    wrong = (
        {"Repr-Digest": f"sha-256=:{sha[::-1][1:]}=:"},
        {"Content-MD5": "x"},
        {"Content-MD5": md5[:2] + "AA" + md5[4:]},
    )
    assert [lab.put("/2.0/files/in/a", headers=headers).status_code for headers in good] == [201, 201]
    assert [lab.put("/2.0/files/in/b", headers=headers).status_code for headers in wrong] == [400, 400, 400]
    headers = {"Content-Type": "multipart/form-data; boundary=XbX"}
    for digest, status in ((sha, 201), (sha.replace(sha[3], "A"), 400)):
        body = form(b"hello").replace(b"\r\n\r\n", f"\r\nRepr-Digest: sha-256=:{digest}:\r\n\r\n".encode(), 1)
        assert lab.call("PUT", "/2.0/files/in/c", data=body, headers=headers).status_code == status


def test_zero_bytes_are_a_file(lab):
    """S13: an empty file has the size "0"."""
    assert lab.put("/2.0/files/in/empty", b"").status_code == 201
    assert lab.get("/2.0/directories/in?type=files").json["files"][0]["attributes"]["size"] == "0"
    assert lab.get("/2.0/files/in/empty").data == b""


def test_a_metadata_part(lab):
    """D7: PUT may carry metadata, of which custom attributes can be asked for; bad JSON stores nothing."""
    parts = {"metadata": (None, '{"ship":"Ada","description":"d"}')}
    body = form(b"x").replace(
        b"--XbX--", b'--XbX\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n%s\r\n--XbX--'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=XbX"}
    good, bad = body % parts["metadata"][1].encode(), body % b"{"
    assert lab.call("PUT", "/2.0/files/in/a", data=good, headers=headers).status_code == 201
    assert lab.call("PUT", "/2.0/files/in/b", data=bad, headers=headers).status_code == 400
    files = lab.get("/2.0/directories/in?type=files&attributes=ship,description,none").json["files"]
    assert [each["attributes"] for each in files] == [{"ship": "Ada", "description": "d", "none": ""}]


@pytest.mark.parametrize(("origin", "status"), [(BASE, 201), ("http://evil.test", 403), ("null", 403), (None, 201)])
def test_foreign_origins(lab, origin, status):
    """S34: another site's page writes nothing with our cookies."""
    answer = lab.put("/2.0/files/in/a", headers={"Origin": origin} if origin else {})
    assert answer.status_code == status
    if status == 403:
        assert answer.json["message"] == "Foreign origin"


def test_a_full_disk(lab):
    """507: told as such, stored is nothing."""

    def full(_fileset, *, md5):
        raise OSError(28, "No space left on device")

    lab.service.operations.vault.uploads._blobs.stage = full
    assert _told(lab.put("/2.0/files/in/a"))[0] == 507


def test_what_is_nowhere_answers_not_found(lab):
    """C5: a path of no call is 404 in the envelope."""
    for path in ("/2.0/x", "/2.0", "/2.0/filesets/1", "/2.0/files%25", "/x"):
        status, body = _told(lab.get(path))
        assert (status, body["message"], body["errorType"]) == (404, "Not found", "request_syntax")


def test_a_caller_without_the_gateway_is_refused(lab):
    """A request without an identity is E-AUTH, whatever it asks for."""
    answer = lab.client.get("/2.0/directories")
    assert (answer.status_code, answer.json["errorType"]) == (401, "authentication")


def test_the_brake_of_the_gateway(lab):
    """S33: a throttled Basic login is 429 with Retry-After."""
    answer = lab.put("/2.0/files/in/a", who=whoever(None, reason="throttled", retry_after=7))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
