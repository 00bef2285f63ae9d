"""S1 to S9: the order of refusals, and the reading of paths."""

import itertools

import pytest

from tests.service.filestore_svc.filestore_lab import form, identity_of
from tests.service.filestore_svc.vendor_words import E_AUTH, refused

GOOD = {"data": form(b"x"), "headers": {"Content-Type": "multipart/form-data; boundary=XbX"}}


@pytest.mark.parametrize(
    ("method", "path", "account", "message"),
    [
        ("PUT", "/2.0/files/in", None, "Invalid username or password"),
        ("PUT", "/2.0/files/in", "nocontract", "Connection contract not configured"),
        ("PUT", "/2.0/files/in", "reader1", "No filename specified"),
        ("PUT", "/2.0/files/in/a", "reader1", "Missing parameters or syntax error"),
        ("GET", "/2.0/files/in/nosuch/x", "reader1", "No read permission"),
        ("GET", "/2.0/files/in/closed/x", "part1", "No read permission"),
        ("GET", "/2.0/files/in/closed/deeper/x", "part1", "No read permission"),
        ("GET", "/2.0/files/in/sub/deeper/x", "part1", "Path 'in/sub/deeper' doesn't exist"),
        ("GET", "/2.0/files/in/sub/x", "part1", "File 'x' doesn't exist"),
        ("GET", "/2.0/files/nosuch/x", "nobody", "Path 'nosuch' doesn't exist"),
        ("GET", "/2.0/files/in/x", "nobody", "No read permission"),
        ("GET", "/2.0/files/in/../out/x", "reader1", "No read permission"),
        ("GET", "/2.0/files/in/../out/x", "part1", "Path 'in/../out' doesn't exist"),
        ("GET", "/2.0/files//in/x", "part1", "Path '/in' doesn't exist"),
        ("GET", "/2.0/files/in/..", "part1", "Path 'in/..' doesn't exist"),
        ("GET", "/2.0/files/..%2fin", "part1", "Path '..' doesn't exist"),
        ("GET", "/2.0/files/in%2Fx", "part1", "File 'x' doesn't exist"),
    ],
)
def test_order(lab, method, path, account, message):
    """Session, contract, URL and headers, right, existence; a right is asked of the nearest folder that exists."""
    answer = lab.call(method, path, account)
    assert answer.json["message"] == message


def test_a_refusal_before_the_body_reads_none_of_it(lab):
    """S3: 401, 403, 404 and 412 leave the body to the server."""

    class Untouched:
        def read(self, *_size):
            raise AssertionError("the body was read")

    for path, account in (("/in/a", None), ("/inbox/a", "reader1"), ("/nosuch/a", "part1")):
        environ = {"wsgi.input": Untouched(), "CONTENT_TYPE": GOOD["headers"]["Content-Type"], "CONTENT_LENGTH": "9"}
        assert lab.call("PUT", f"/2.0/files{path}", account, environ=environ).status_code in (401, 403, 404)


def test_bytes_that_frameworks_would_confuse(lab):
    """S6: `%ff` and `%fe` are no names, and never the same one."""
    for raw in ("%ff", "%fe", "%c0%af", "%ed%a0%80", "%00", "a%0d%0ab", "%5c"):
        answer = lab.call("PUT", f"/2.0/files/in/{raw}", **GOOD)
        assert (answer.status_code, answer.json["errorType"]) == (404, "io"), raw
    assert lab.get("/2.0/directories/in?type=files").json["totalCount"] == "0"


def test_no_product_of_tricks_leaves_its_folder(lab):
    """A PUT of any such path stores a file in the folder whose right was checked, or none."""
    for parts in itertools.product(("%", "25", "2e", "2f", "5c", "00", ".", "/"), repeat=3):
        path = "/in/" + "".join(parts)
        answer = lab.call("PUT", f"/2.0/files{path}", **GOOD)
        assert answer.status_code in (201, 400, 403, 404), path
        assert answer.json["result"] == ("ok" if answer.status_code == 201 else "failed")
    for folder in ("/out", "/inbox"):
        assert lab.get(f"/2.0/directories{folder}").json["totalCount"] == "0"


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_wrong_methods(lab, method):
    """405 with Allow, in the envelope."""
    answer = lab.call(method, "/2.0/directories/in")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert answer.json["message"] == "Method not allowed"


def test_a_configuration_without_a_folder_hides_it(lab):
    """S9: folders come from the configuration; their files are visible again when the folder is declared again."""
    lab.put("/2.0/files/out/a", b"kept")
    folders = lab.document["http_mft"]["folders"]
    lab.document = {"http_mft": {**lab.document["http_mft"], "folders": {"/in": folders["/in"]}}}
    lab.close()
    lab.open()
    assert lab.get("/2.0/files/out/a").status_code == 404
    lab.document["http_mft"]["folders"] = folders
    lab.close()
    lab.open()
    assert lab.get("/2.0/files/out/a").data == b"kept"


@pytest.mark.parametrize("path", ["/2.0/x", "/2.0", "/2.0/filesets/1", "/2.0/files%25", "/x"])
def test_a_path_of_no_call_is_not_found(lab, path):
    """C5: 404 in the envelope."""
    assert refused(lab.get(path)) == (404, "Not found", "request_syntax")


def test_a_caller_without_the_gateway_is_refused(lab):
    """A request without an identity is E-AUTH, whatever it asks for."""
    assert refused(lab.client.get("/2.0/directories")) == E_AUTH


def test_a_throttled_password(lab):
    """S33: a password that the gateway did not look at is 429 with Retry-After."""
    answer = lab.put("/2.0/files/in/a", who=identity_of(None, reason="throttled", retry_after=7))
    assert refused(answer) == (429, "Too many attempts", "authentication")
    assert answer.headers["Retry-After"] == "7"
