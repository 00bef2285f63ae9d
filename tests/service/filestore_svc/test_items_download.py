"""Points 20 to 44: GET and DELETE by path and by fileset."""

import hashlib

import pytest

from filestore_svc.wire.headers import repr_digest
from mft_common import environ_keys
from tests.service.filestore_svc.filestore_lab import identity_of
from tests.service.filestore_svc.vendor_words import (
    E_AUTH,
    E_CONF,
    E_D,
    E_DSYN,
    E_NOFILE,
    E_NOSET,
    E_R,
    done,
    e_file,
    e_id,
    e_path,
    refused,
)

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FOLDERS = ["/in", "/in/", "", "/", "/in/sub", "/nosuch"]
NO_IDS = ["abc", "0", "-1", "+1", "01", "%201", "9223372036854775808", "9" * 400, "1/2", "1/", "%ff", "\u0661", "4711"]


@pytest.fixture
def stored(lab):
    """A store with one file, whose fileset is the store's `fileset`."""
    lab.fileset = done(lab.put("/2.0/files/inbox/b.bin", CONTENT, datatype="a/b"), "Upload successful", 201)
    return lab


def test_item_20_a_download(stored):
    """20: 200 and the bytes."""
    answer = stored.get("/2.0/files/inbox/b.bin")
    assert (answer.status_code, answer.data) == (200, CONTENT)


@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10000-", 10_000, 10_240),
        ("bytes=-5", 10_235, 10_240),
        (f"bytes=0-{'9' * 19}", 0, 10_240),
        ("bytes=0-1,5-6", None, None),
        ("lines=0-1", None, None),
        ("bytes=5-2", None, None),
    ],
)
def test_item_20_34_ranges(stored, by_id, value, start, stop):
    """20, 34, S27: one range is served, and one that is malformed is ignored."""
    path = f"/2.0/fileset/{stored.fileset}" if by_id else "/2.0/files/inbox/b.bin"
    answer = stored.get(path, headers={"Range": value})
    assert (answer.status_code, answer.data) == (200 if start is None else 206, CONTENT[start:stop])
    assert answer.headers["Content-Length"] == str(len(CONTENT[start:stop]))
    wanted = None if start is None else f"bytes {start}-{stop - 1}/10240"
    assert answer.headers.get("Content-Range") == wanted


def test_a_range_behind_the_end(stored):
    """S27: 416 with the size; an empty file answers every range with 200."""
    answer = stored.get("/2.0/files/inbox/b.bin", headers={"Range": "bytes=99999-"})
    assert refused(answer) == (416, "Range not satisfiable", "request_syntax")
    assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"
    stored.put("/2.0/files/inbox/empty", b"")
    assert stored.get("/2.0/files/inbox/empty", headers={"Range": "bytes=99999-"}).status_code == 200


@pytest.mark.parametrize("path", FOLDERS)
def test_item_21_only_a_folder(stored, path):
    """21: E-NOFILE."""
    assert refused(stored.get(f"/2.0/files{path}")) == E_NOFILE


def test_item_22_no_contract(stored):
    """22: E-CONF."""
    assert refused(stored.get("/2.0/files/inbox/b.bin", "nocontract")) == E_CONF


def test_item_23_no_session(stored):
    """23: E-AUTH."""
    assert refused(stored.get("/2.0/files/inbox/b.bin", None)) == E_AUTH


def test_item_24_no_read_right(stored):
    """24: E-R."""
    assert refused(stored.get("/2.0/files/inbox/b.bin", "stranger")) == E_R


def test_item_25_an_unknown_file(stored):
    """25: E-FILE with the last segment, decoded, at most 255 characters of it."""
    assert refused(stored.get("/2.0/files/inbox/b%20%C3%A4")) == e_file("b ä")
    assert refused(stored.get(f"/2.0/files/inbox/{'x' * 255}")) == e_file("x" * 255)


def test_item_26_an_unknown_folder(stored):
    """26: E-PATH with the folder's path, decoded, without its leading slash."""
    assert refused(stored.get("/2.0/files/inbox/n%20o/b.bin")) == e_path("inbox/n o")
    long = "/".join(["y" * 200] * 3)
    assert refused(stored.get(f"/2.0/files/inbox/{long}/b")) == e_path(f"inbox/{long}"[:255])


@pytest.mark.parametrize(
    ("path", "account", "status"),
    [
        ("/inbox", "part1", 400),
        ("/inbox/b.bin", "nocontract", 401),
        ("/inbox/b.bin", "stranger", 403),
        ("/inbox/b.bin/x", "part1", 404),
    ],
)
def test_item_21_22_24_26_a_refused_head(stored, path, account, status):
    """21, 22, 24, 26, S27: HEAD of an error has its status, the headers of its envelope, and no body."""
    answer = stored.call("HEAD", f"/2.0/files{path}", account)
    assert (answer.status_code, answer.headers["Content-Type"], answer.data) == (status, "application/json", b"")


def test_item_27_a_delete(stored):
    """27: the id of what is gone; afterwards E-FILE by path, E-ID by id, and nothing of the bytes is left."""
    assert done(stored.call("DELETE", "/2.0/files/inbox/b.bin"), "File deleted") == stored.fileset
    assert refused(stored.get("/2.0/files/inbox/b.bin")) == e_file("b.bin")
    assert refused(stored.get(f"/2.0/fileset/{stored.fileset}")) == e_id(stored.fileset)
    assert refused(stored.call("DELETE", "/2.0/files/inbox/b.bin")) == e_file("b.bin")
    assert stored.events("file.deleted.v1")[0]["reason"] == "deleted"
    stored.service.sweeping.delete_blobs(-1)
    assert stored.blobs() == []


@pytest.mark.parametrize("path", FOLDERS)
def test_item_28_only_a_folder(stored, path):
    """28: E-DSYN, with a text and an errorType of its own."""
    assert refused(stored.call("DELETE", f"/2.0/files{path}")) == E_DSYN


def test_item_29_no_contract(stored):
    """29: E-CONF."""
    assert refused(stored.call("DELETE", "/2.0/files/inbox/b.bin", "nocontract")) == E_CONF


def test_item_30_no_session(stored):
    """30: E-AUTH."""
    assert refused(stored.call("DELETE", "/2.0/files/inbox/b.bin", None)) == E_AUTH


def test_item_31_no_delete_right(stored):
    """31: E-D."""
    assert refused(stored.call("DELETE", "/2.0/files/inbox/b.bin", "reader1")) == E_D


def test_item_32_an_unknown_file(stored):
    """32: E-FILE."""
    assert refused(stored.call("DELETE", "/2.0/files/inbox/x")) == e_file("x")


def test_item_33_an_unknown_folder(stored):
    """33: E-PATH."""
    assert refused(stored.call("DELETE", "/2.0/files/inbox/x/y")) == e_path("inbox/x")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_item_34_a_download_by_id(stored, method):
    """34, S27: 200, the bytes, and the headers of a download by path."""
    answer = stored.call(method, f"/2.0/fileset/{stored.fileset}", "reader1")
    assert (answer.status_code, answer.data) == (200, CONTENT if method == "GET" else b"")
    wanted = {
        "Content-Length": str(len(CONTENT)),
        "Content-Type": "a/b",
        "ETag": f'"{SHA256}"',
        "Accept-Ranges": "bytes",
        "Repr-Digest": repr_digest(SHA256),
        "Content-Disposition": "attachment; filename=\"b.bin\"; filename*=UTF-8''b.bin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }
    assert {name: answer.headers[name] for name in wanted} == wanted
    assert answer.headers["Last-Modified"] == stored.call("HEAD", "/2.0/files/inbox/b.bin").headers["Last-Modified"]


@pytest.mark.parametrize("path", ["/2.0/fileset", "/2.0/fileset/"])
def test_item_35_no_id(stored, path):
    """35: E-NOSET."""
    assert refused(stored.get(path)) == E_NOSET


def test_item_36_no_contract(stored):
    """36: E-CONF."""
    assert refused(stored.get(f"/2.0/fileset/{stored.fileset}", "nocontract")) == E_CONF


def test_item_37_no_session(stored):
    """37: E-AUTH."""
    assert refused(stored.get(f"/2.0/fileset/{stored.fileset}", None)) == E_AUTH


def test_item_38_no_read_right(stored):
    """38: E-R, asked of the file's folder."""
    assert refused(stored.get(f"/2.0/fileset/{stored.fileset}", "stranger")) == E_R


@pytest.mark.parametrize("text", NO_IDS)
def test_item_39_no_such_id(stored, text):
    """39, D22: E-ID, for what is unknown and for what is no number alike."""
    shown = {"%201": " 1", "%ff": "\ufffd"}.get(text, text)
    assert refused(stored.get(f"/2.0/fileset/{text}")) == e_id(shown[:255])


def test_item_40_a_delete_by_id(stored):
    """40: the id of what is gone, which never comes back."""
    assert done(stored.call("DELETE", f"/2.0/fileset/{stored.fileset}"), "File deleted") == stored.fileset
    assert refused(stored.get("/2.0/files/inbox/b.bin")) == e_file("b.bin")
    assert refused(stored.call("DELETE", f"/2.0/fileset/{stored.fileset}")) == e_id(stored.fileset)
    assert stored.events("file.deleted.v1")[0]["fileset"] == stored.fileset
    assert stored.put("/2.0/files/inbox/b.bin").json["fileset"] != stored.fileset


def test_item_41_no_contract(stored):
    """41: E-CONF."""
    assert refused(stored.call("DELETE", f"/2.0/fileset/{stored.fileset}", "nocontract")) == E_CONF


def test_item_42_no_session(stored):
    """42: E-AUTH."""
    assert refused(stored.call("DELETE", f"/2.0/fileset/{stored.fileset}", None)) == E_AUTH


def test_item_43_no_delete_right(stored):
    """43: E-D."""
    assert refused(stored.call("DELETE", f"/2.0/fileset/{stored.fileset}", "reader1")) == E_D


@pytest.mark.parametrize("text", NO_IDS)
def test_item_44_no_such_id(stored, text):
    """44: E-ID; E-NOSET for none at all."""
    shown = {"%201": " 1", "%ff": "\ufffd"}.get(text, text)
    assert refused(stored.call("DELETE", f"/2.0/fileset/{text}")) == e_id(shown[:255])
    assert refused(stored.call("DELETE", "/2.0/fileset/")) == E_NOSET


def test_a_running_download_keeps_the_old_bytes(stored):
    """S15: a download sends the content that it began with, also when that is replaced and swept."""
    environ = {environ_keys.IDENTITY: identity_of("part1")}
    running = stored.client.get("/2.0/files/inbox/b.bin", environ_overrides=environ)
    stored.put("/2.0/files/inbox/b.bin", b"new")
    stored.service.sweeping.delete_blobs(-1)
    assert running.data == CONTENT
    running.close()
    assert stored.get("/2.0/files/inbox/b.bin").data == b"new"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("b%20%C3%A4.txt", "filename=\"b _.txt\"; filename*=UTF-8''b%20%C3%A4.txt"),
        ("say%20%22hi%22", "filename=\"say _hi_\"; filename*=UTF-8''say%20%22hi%22"),
        ("100%25", "filename=\"100%\"; filename*=UTF-8''100%25"),
    ],
)
def test_the_file_name_of_a_download(stored, name, shown):
    """S27: once in ASCII for clients that know no other form, and once as it is."""
    stored.put(f"/2.0/files/inbox/{name}")
    for method in ("GET", "HEAD"):
        answer = stored.call(method, f"/2.0/files/inbox/{name}")
        assert answer.headers["Content-Disposition"] == f"attachment; {shown}"


def test_an_id_is_one_content(stored):
    """S15: the id of a replaced content is E-ID, and never leads to the new content."""
    second = stored.put("/2.0/files/inbox/b.bin", b"new").json["fileset"]
    assert refused(stored.get(f"/2.0/fileset/{stored.fileset}")) == e_id(stored.fileset)
    assert refused(stored.call("DELETE", f"/2.0/fileset/{stored.fileset}")) == e_id(stored.fileset)
    assert stored.get(f"/2.0/fileset/{second}").data == b"new"


def test_a_folder_out_of_sight_hides_its_ids(stored):
    """S9: a file below a folder that the configuration no longer has is found by no id."""
    folders = stored.document["http_mft"]["folders"]
    stored.document = {"http_mft": {**stored.document["http_mft"], "folders": {"/in": folders["/in"]}}}
    stored.close()
    stored.open()
    assert refused(stored.get(f"/2.0/fileset/{stored.fileset}")) == e_id(stored.fileset)
    assert refused(stored.get(f"/2.0/metadatabyid/{stored.fileset}")) == e_id(stored.fileset)
