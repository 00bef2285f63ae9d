"""Points 6 to 19: PUT and POST /2.0/files."""

import pytest

from tests.service.filestore_svc.filestore_lab import BASE
from tests.service.filestore_svc.vendor_words import (
    E_AUTH,
    E_CONF,
    E_NOFILE,
    E_SYN,
    E_W,
    done,
    e_path,
    multipart,
    part,
    refused,
    with_metadata,
)

PUT = "/2.0/files/in/a.txt"
CONTENT = bytes(range(256)) * 3 + b"\r\n--XbX\n\r\n-"


def _put(lab, path=PUT, account="part1", **more):
    return lab.call("PUT", path, account, **{**multipart(part("file", CONTENT, "b.txt", "text/plain")), **more})


def _post(lab, path="/2.0/files/in", account="part1", **more):
    return lab.call("POST", path, account, **{**with_metadata(), **more})


def _nothing_stored(lab):
    return (lab.leftovers(), lab.blobs(), lab.get("/2.0/countelements/in?type=files").data) == ([], [], b"0")


def test_item_06_an_upload(lab):
    """6: 201, identical bytes, the name of the URL, the type of the part."""
    fileset = done(_put(lab), "Upload successful", 201)
    found = lab.get(PUT)
    assert (found.data, found.headers["Content-Type"]) == (CONTENT, "text/plain")
    assert lab.get(f"/2.0/fileset/{fileset}").data == CONTENT
    for headers, datatype in (({}, "application/octet-stream"), ({"content_type": "image/x-odd"}, "image/x-odd")):
        done(_put(lab, **multipart(part("file", b"", None, **headers))), "Upload successful", 201)
        assert lab.get(PUT).headers["Content-Type"] == datatype
    listed = lab.get("/2.0/directories/in?type=files").json["files"][0]
    assert (listed["attributes"]["size"], lab.get(PUT).data) == ("0", b"")


def test_item_06_the_name_is_that_of_the_url(lab):
    """6: the last segment of the URL, decoded, whatever file name the part carries."""
    for given in ("other.txt", None):
        done(_put(lab, "/2.0/files/in/n%C3%A4me", **multipart(part("file", b"x", given))), "Upload successful", 201)
        (listed,) = lab.get("/2.0/directories/in?type=files").json["files"]
        assert (listed["id"], listed["uri"]) == ("/in/n\u00e4me", f"{BASE}/2.0/files/in/n%C3%A4me")


def test_item_06_metadata_beside_the_file(lab):
    """6, D7: PUT may carry a metadata part, whose type may be left out."""
    for content_type in (None, "application/json"):
        metadata = part("metadata", '{"ship":"Ada","description":"d"}', None, content_type)
        done(_put(lab, **multipart(part("file", b"x"), metadata)), "Upload successful", 201)
        found = lab.get("/2.0/metadata/in/a.txt").json["metadata"]
        assert (found["ship"], found["description"]) == ("Ada", "d")


@pytest.mark.parametrize("path", ["/in", "/in/", "/", "", "/in/sub", "/nosuch", "/in/x/"])
def test_item_07_only_a_folder(lab, path):
    """7: E-NOFILE, whether such a folder exists or not."""
    assert refused(_put(lab, f"/2.0/files{path}")) == E_NOFILE


@pytest.mark.parametrize(
    "body",
    [
        {"headers": {}},
        {"headers": {"Content-Type": "text/plain"}},
        {"headers": {"Content-Type": "multipart/form-data"}},
        {"headers": {"Content-Type": "multipart/form-data; boundary=other"}},
        {"data": b""},
        multipart(part("other", b"x")),
        multipart(part("file", b"x"), part("file", b"y")),
        {"data": b"--XbX\r\nno head at all"},
        multipart(part("metadata", "{"), part("file", b"x")),
        multipart(part("metadata", "{}", None, "text/xml"), part("file", b"x")),
        multipart(*[part(f"p{number}", b"x") for number in range(8)], part("file", b"x")),
    ],
)
def test_item_08_bodies_that_are_no_upload(lab, body):
    """8: E-SYN, and nothing of it stays."""
    assert refused(_put(lab, **body)) == E_SYN
    assert _nothing_stored(lab)


def test_item_09_no_session(lab):
    """9: E-AUTH."""
    assert refused(_put(lab, account=None)) == E_AUTH


def test_item_10_no_contract(lab):
    """10: E-CONF."""
    assert refused(_put(lab, account="nocontract")) == E_CONF


def test_item_11_no_write_right(lab):
    """11: E-W."""
    assert refused(_put(lab, "/2.0/files/inbox/a", "reader1")) == E_W


def test_item_12_an_unknown_folder_is_never_made(lab):
    """12: E-PATH, also afterwards."""
    assert refused(_put(lab, "/2.0/files/in/new/a")) == e_path("in/new")
    assert refused(_put(lab, "/2.0/files/in/new/a")) == e_path("in/new")


@pytest.mark.parametrize("turned", [False, True])
def test_item_13_an_upload_with_metadata(lab, turned):
    """13: parts in either order; the name is the part's, and the metadata can be read afterwards."""
    parts = [part("metadata", '{"ship":"Ada","description":"d","n":5}'), part("file", CONTENT, "näme.bin", "a/b")]
    answer = _post(lab, **multipart(*(reversed(parts) if turned else parts)))
    fileset = done(answer, "Upload successful", 201, timestamp=False)
    found = lab.get("/2.0/metadata/in/n%C3%A4me.bin").json
    assert (found["fileset"], found["uri"]) == (fileset, f"{BASE}/2.0/files/in/n%C3%A4me.bin")
    assert (found["metadata"]["ship"], found["metadata"]["n"], found["metadata"]["description"]) == ("Ada", "5", "d")
    assert lab.get(f"/2.0/fileset/{fileset}").data == CONTENT
    assert lab.events("file.stored.v1")[0]["path"] == "/in/näme.bin"
    assert lab.events("transfer.ended.v1")[0]["items"][0]["destination"]["path"] == "/in/näme.bin"


@pytest.mark.parametrize("filename", [None, ""])
def test_item_14_a_part_without_file_name(lab, filename):
    """14: E-NOFILE, without timestamp."""
    assert refused(_post(lab, **with_metadata(filename)), timestamp=False) == E_NOFILE
    assert _nothing_stored(lab)


@pytest.mark.parametrize(
    "body",
    [
        multipart(part("file", b"x", "a")),
        multipart(part("metadata", "{}")),
        multipart(),
        {"headers": {}},
        {"headers": {"Content-Type": "application/json"}},
        with_metadata(metadata="{"),
        with_metadata(metadata='{"size":"1"}'),
        with_metadata(metadata='{"a":null}'),
        multipart(part("metadata", "{}"), part("metadata", "{}"), part("file", b"x", "a")),
        with_metadata("a/b"),
        with_metadata(".."),
        with_metadata("a" * 256),
        with_metadata("a\x01b"),
    ],
)
def test_item_15_a_part_missing_or_bad(lab, body):
    """15, S6: E-SYN without timestamp, and nothing is stored."""
    assert refused(_post(lab, **body), timestamp=False) == E_SYN
    assert _nothing_stored(lab)


def test_item_16_no_contract(lab):
    """16: E-CONF, without timestamp."""
    assert refused(_post(lab, account="nocontract"), timestamp=False) == E_CONF


def test_item_17_no_session(lab):
    """17: E-AUTH, without timestamp."""
    assert refused(_post(lab, account=None), timestamp=False) == E_AUTH


@pytest.mark.parametrize(
    ("path", "account"),
    [("/inbox", "reader1"), ("", "part1"), ("/", "part1"), ("/in/closed", "part1"), ("/inbox/new", "reader1")],
)
def test_item_18_no_write_right(lab, path, account):
    """18, S8: E-W without timestamp; the root gives nobody the right."""
    assert refused(_post(lab, f"/2.0/files{path}", account), timestamp=False) == E_W


@pytest.mark.parametrize("path", ["nosuch", "in/new", "in/sub/x/y", "in/there.txt", "in/..", "in//x"])
def test_item_19_an_unknown_folder(lab, path):
    """19, D7: E-PATH without timestamp, also for a path that is a file; no file is named like the missing folder."""
    lab.put("/2.0/files/in/there.txt")
    assert refused(_post(lab, f"/2.0/files/{path}"), timestamp=False) == e_path(path)
    assert lab.get("/2.0/countelements/in?type=files").data == b"1"


def test_a_replaced_file_has_a_new_fileset(lab):
    """S15: the new content has an id of its own, and the old bytes go once no reader can need them."""
    first, second = (lab.put("/2.0/files/in/a", content).json["fileset"] for content in (b"one", b"two"))
    assert first != second
    assert lab.get("/2.0/files/in/a").data == b"two"
    assert [event.get("replaced") for event in lab.events("file.stored.v1")] == [None, first]
    assert lab.service.sweeping.delete_blobs() == 0
    assert lab.service.sweeping.delete_blobs(-1) == 1
    assert [blob.name for blob in lab.blobs()] == [str(second)]
