"""3.4 and 3.5: GET, HEAD and DELETE /2.0/files/<path>/<file>."""

import hashlib

import pytest

from filestore_svc.wire.headers import repr_digest
from mft_common import environ_keys
from tests.service.filestore_svc.filestore_lab import whoever

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def stored(lab):
    """A store with one file."""
    assert lab.put("/2.0/files/inbox/b c.bin", CONTENT, datatype="application/x-y").status_code == 201
    return lab


URL = "/2.0/files/inbox/b%20c.bin"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_headers_of_a_download(stored, method):
    """20, S27: GET and HEAD alike."""
    answer = stored.call(method, URL)
    assert answer.status_code == 200
    assert answer.data == (CONTENT if method == "GET" else b"")
    wanted = {
        "Content-Length": str(len(CONTENT)),
        "Content-Type": "application/x-y",
        "ETag": f'"{SHA256}"',
        "Accept-Ranges": "bytes",
        "Repr-Digest": repr_digest(SHA256),
        "Content-Disposition": "attachment; filename=\"b c.bin\"; filename*=UTF-8''b%20c.bin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }
    assert {name: answer.headers[name] for name in wanted} == wanted
    assert "Last-Modified" in answer.headers


@pytest.mark.parametrize(
    ("value", "status", "content"),
    [
        ("bytes=0-9", 206, CONTENT[:10]),
        ("bytes=10000-", 206, CONTENT[10000:]),
        ("bytes=-5", 206, CONTENT[-5:]),
        ("bytes=0-999999", 206, CONTENT),
        ("bytes=0-1,5-6", 200, CONTENT),
        ("lines=0-1", 200, CONTENT),
        ("bytes=5-2", 200, CONTENT),
    ],
)
def test_ranges(stored, value, status, content):
    """S27: one range is served, odd ones are ignored."""
    answer = stored.get(URL, headers={"Range": value})
    assert (answer.status_code, answer.data) == (status, content)
    assert answer.headers["Content-Length"] == str(len(content))


def test_a_range_beyond_the_end(stored):
    """416 with the size, in the envelope."""
    answer = stored.get(URL, headers={"Range": "bytes=99999-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")
    assert answer.json["message"] == "Range not satisfiable"


@pytest.mark.parametrize(
    ("path", "account", "status", "message"),
    [
        ("/in", "part1", 400, "No filename specified"),
        ("/in/sub/", "part1", 400, "No filename specified"),
        ("/in/sub", "part1", 400, "No filename specified"),
        ("/in/x", "nocontract", 401, "Connection contract not configured"),
        ("/in/x", None, 401, "Invalid username or password"),
        ("/in/x", "reader1", 403, "No read permission"),
        ("/in/x", "part1", 404, "File 'x' doesn't exist"),
        ("/nosuch/x", "part1", 404, "Path 'nosuch' doesn't exist"),
        ("/inbox/b%20c.bin/x", "part1", 404, "Path 'inbox/b c.bin' doesn't exist"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_refused_downloads(stored, method, path, account, status, message):
    """21 to 26; HEAD of an error has its status and no body."""
    answer = stored.call(method, f"/2.0/files{path}", account)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.data == b"" if method == "HEAD" else answer.json["message"] == message


def test_deleting(stored):
    """27: the answer names the content that is gone, and nothing of it is left."""
    fileset = int(stored.blobs()[0].name)
    answer = stored.call("DELETE", URL)
    assert (answer.status_code, answer.json["message"], answer.json["fileset"]) == (200, "File deleted", fileset)
    assert stored.get(URL).status_code == 404
    assert stored.events("file.deleted.v1")[0]["reason"] == "deleted"
    stored.service.sweeping.delete_blobs(-1)
    assert stored.blobs() == []


@pytest.mark.parametrize(
    ("path", "account", "status", "message", "kind"),
    [
        ("/in", "part1", 400, "missing param or syntax error", "syntax_error"),
        ("/in/", "part1", 400, "missing param or syntax error", "syntax_error"),
        ("", "part1", 400, "missing param or syntax error", "syntax_error"),
        ("/in/sub", "part1", 400, "missing param or syntax error", "syntax_error"),
        ("/in/x", "nocontract", 401, "Connection contract not configured", "configuration"),
        ("/in/x", None, 401, "Invalid username or password", "authentication"),
        ("/inbox/x", "reader1", 403, "No delete permission", "authorization"),
        ("/in/x", "part1", 404, "File 'x' doesn't exist", "io"),
        ("/nosuch/x", "part1", 404, "Path 'nosuch' doesn't exist", "io"),
    ],
)
def test_refused_deletes(lab, path, account, status, message, kind):
    """28 to 33."""
    answer = lab.call("DELETE", f"/2.0/files{path}", account)
    assert (answer.status_code, answer.json["message"], answer.json["errorType"]) == (status, message, kind)


def test_a_running_download_keeps_the_old_bytes(stored):
    """S15: what was opened is sent to its end, whatever replaces or sweeps it meanwhile."""
    running = stored.client.get(URL, environ_overrides={environ_keys.IDENTITY: whoever("part1")})
    stored.put(URL, b"new")
    stored.service.sweeping.delete_blobs(-1)
    assert running.data == CONTENT
    running.close()
    assert stored.get(URL).data == b"new"
