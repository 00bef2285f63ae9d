"""Every call once, on a real server, whose faults a Flask client would not see."""

import hashlib
import json

import pytest
import requests

from tests.service.filestore_svc.filestore_lab import form

CONTENT = bytes(range(256)) * 4000
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'


@pytest.fixture
def call(server):
    """Send a request as an account."""

    def send(method, path, account="part1", headers=None, **more):
        headers = {**server.headers(account), **(headers or {})}
        return requests.request(method, f"{server.url}{path}", headers=headers, timeout=30, **more)

    return send


def _post(call, name, metadata, **more):
    files = {"metadata": (None, json.dumps(metadata), "application/json"), "file": (name, CONTENT, "a/b")}
    return call("POST", "/2.0/files/in", files=files, **more)


def test_a_file_and_its_metadata_from_one_end_to_the_other(call):
    """13, 34, 40, 45, 53, 60, 67, 73: store, find by path and id, describe, count, delete."""
    stored = _post(call, "whole.bin", {"ship": "Ada"})
    assert (stored.status_code, list(stored.json())) == (201, ["result", "message", "fileset"])
    fileset = stored.json()["fileset"]
    assert call("GET", f"/2.0/fileset/{fileset}").content == CONTENT
    for path in ("/2.0/metadata/in/whole.bin", f"/2.0/metadatabyid/{fileset}"):
        assert call("POST", path, json={"port": "Rotterdam"}).json()["message"] == "Metadata updated"
        found = call("GET", path).json()["metadata"]
        assert (found["ship"], found["port"], found["size"]) == ("Ada", "Rotterdam", str(len(CONTENT)))
    assert call("GET", "/2.0/countelements/in?filter=whole*").text == "1"
    listed = call("GET", "/2.0/directories/in?filter=whole*&attributes=port").json()["files"]
    assert listed[0]["attributes"] == {"port": "Rotterdam"}
    assert call("DELETE", f"/2.0/fileset/{fileset}").json()["message"] == "File deleted"
    assert call("GET", "/2.0/files/in/whole.bin").json()["message"] == "File 'whole.bin' doesn't exist"


def test_ranges_and_conditions(call):
    """S27: 206, 304, 412 and 416, by path and by id."""
    fileset = _post(call, "ranges.bin", {}).json()["fileset"]
    for path in ("/2.0/files/in/ranges.bin", f"/2.0/fileset/{fileset}"):
        part = call("GET", path, headers={"Range": "bytes=1000-300000", "If-Range": ETAG})
        assert (part.status_code, part.content) == (206, CONTENT[1000:300_001])
        assert part.headers["Content-Range"] == f"bytes 1000-300000/{len(CONTENT)}"
        whole = call("GET", path, headers={"Range": "bytes=0-1", "If-Range": '"x"'})
        assert (whole.status_code, len(whole.content)) == (200, len(CONTENT))
        known = call("GET", path, headers={"If-None-Match": ETAG})
        assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", ETAG)
        beyond = call("GET", path, headers={"Range": f"bytes={len(CONTENT)}-"})
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")
        assert call("GET", path, headers={"If-Match": '"x"'}).json()["message"] == "Precondition failed"
        head = call("HEAD", path)
        assert (head.headers["Content-Length"], head.headers["ETag"]) == (str(len(CONTENT)), ETAG)


def test_refusals_before_the_body(call):
    """S3: a client without the right gets 403 while it still sends its body."""
    body = {"data": form(CONTENT), "headers": {"Content-Type": "multipart/form-data; boundary=XbX"}}
    for path, status in (("/2.0/files/nosuch", 404), ("/2.0/files/inbox", 403)):
        assert call("POST", path, "reader1", **body).status_code == status


def test_the_document_is_served(call):
    """The discovery needs no session."""
    assert "/2.0/files/{file}" in call("GET", "/2.0/openapi.json", "nobody").json()["paths"]
