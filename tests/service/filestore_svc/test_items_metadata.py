"""Points 45 to 72: metadata by path and by fileset."""

import json

import pytest

from filestore_svc.domain.files import FIXED
from tests.service.filestore_svc.filestore_lab import BASE
from tests.service.filestore_svc.vendor_words import (
    E_AUTH,
    E_CONF,
    E_NOFILE,
    E_NOSET,
    E_R,
    E_SYN,
    E_W,
    T,
    done,
    e_file,
    e_id,
    e_path,
    refused,
)

JSON = {"Content-Type": "application/json"}
NAMED = "/2.0/metadata/inbox/a%20b"
FOLDERS = ["/in", "/in/", "", "/", "/in/sub", "/nosuch"]
BAD = [
    "",
    "{",
    "[]",
    '"a"',
    "null",
    '{"a":null}',
    '{"a":[]}',
    '{"a":{}}',
    '{"a":"b","a":"c"}',
    '{"":"x"}',
    '{"a":NaN}',
    b'{"a":"\xff"}',
    '{"a":"\\ud800"}',
    "[" * 100_000,
    '{"size":"1"}',
    '{"a\\n":"x"}',
    json.dumps({"k" * 129: "x"}),
    json.dumps({"k": "x" * 4097}),
    json.dumps({f"k{number}": "" for number in range(65)}),
    json.dumps({f"k{number}": "x" * 4096 for number in range(64)}),
]


@pytest.fixture
def stored(lab):
    """A store with one file, whose fileset is the store's `fileset`."""
    lab.fileset = done(lab.put("/2.0/files/inbox/a%20b", b"content", datatype="a/b"), "Upload successful", 201)
    lab.by_id = f"/2.0/metadatabyid/{lab.fileset}"
    return lab


def _write(lab, path, value, account="part1", **more):
    data = value if isinstance(value, str | bytes) else json.dumps(value)
    return lab.call("POST", path, account, data=data, headers={**JSON, **more})


def _read(lab, path=NAMED):
    answer = lab.get(path)
    assert answer.status_code == 200, answer.data
    return answer.json["metadata"]


@pytest.mark.parametrize("by_id", [False, True])
def test_item_45_60_a_write(stored, by_id):
    """45, 60, S23, S25: adds, replaces, leaves the rest; no date and no fileset changes."""
    path = stored.by_id if by_id else NAMED
    before = _read(stored)
    assert done(_write(stored, path, {"a": "1", "b": "2", "description": "d"}), "Metadata updated") == stored.fileset
    wrapped = {"metadata": {"b": 5.50, "c": True, "z": "", "correlationId": "7", "dstFileName": "n"}}
    assert done(_write(stored, path, wrapped), "Metadata updated") == stored.fileset
    given = {"description": "d", "correlationId": "7", "dstFileName": "n", "a": "1", "b": "5.5", "c": "true", "z": ""}
    assert _read(stored) == {**before, **given}
    assert done(_write(stored, path, {}), "Metadata updated") == stored.fileset
    assert _read(stored) == {**before, **given}
    events = stored.events("file.described.v1")
    assert [event["keys"] for event in events] == [
        ["a", "b", "description"],
        ["b", "c", "correlationId", "dstFileName", "z"],
    ]
    assert (events[1]["fileset"], events[1]["path"], events[1]["correlation_id"]) == (stored.fileset, "/inbox/a b", "7")
    assert "5.5" not in json.dumps(events)


@pytest.mark.parametrize("path", FOLDERS)
def test_item_46_only_a_folder(stored, path):
    """46: E-NOFILE."""
    assert refused(_write(stored, f"/2.0/metadata{path}", {})) == E_NOFILE


@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_item_47_62_bad_json(stored, by_id, body):
    """47, 62, S22 to S24: E-SYN, and nothing is changed."""
    path = stored.by_id if by_id else NAMED
    _write(stored, path, {"kept": "1"})
    before = _read(stored)
    assert refused(_write(stored, path, body)) == E_SYN
    assert _read(stored) == before


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/jsonx", "multipart/form-data; boundary=x"])
def test_item_47_62_another_type(stored, content_type):
    """47, 62, S26: E-SYN for a missing type and for another one; a charset is no matter."""
    for path in (NAMED, stored.by_id):
        headers = {"Content-Type": content_type} if content_type else {}
        assert refused(stored.call("POST", path, data="{}", headers=headers)) == E_SYN
        assert _write(stored, path, {}, **{"Content-Type": "Application/JSON; charset=UTF-8"}).status_code == 200


def test_item_48_no_contract(stored):
    """48: E-CONF."""
    assert refused(_write(stored, NAMED, {}, "nocontract")) == E_CONF


def test_item_49_no_session(stored):
    """49: E-AUTH."""
    assert refused(_write(stored, NAMED, {}, None)) == E_AUTH


def test_item_50_no_write_right(stored):
    """50: E-W."""
    assert refused(_write(stored, NAMED, {}, "reader1")) == E_W


def test_item_51_an_unknown_file(stored):
    """51: E-FILE."""
    assert refused(_write(stored, "/2.0/metadata/inbox/x%20y", {})) == e_file("x y")


def test_item_52_an_unknown_folder(stored):
    """52: E-PATH."""
    assert refused(_write(stored, "/2.0/metadata/nosuch/x", {})) == e_path("nosuch")


@pytest.mark.parametrize("by_id", [False, True])
def test_item_53_67_a_read(stored, by_id):
    """53, 67: a bare object; the ten fixed attributes, then the custom ones; size is a text, unset ones are empty."""
    _write(stored, NAMED, {"b": "2", "a": "1"})
    answer = stored.get(stored.by_id if by_id else NAMED, "reader1")
    found = answer.json
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert list(found) == ["id", "uri", "metaUri", "filename", "fileset", "metadata"]
    assert (found["id"], found["filename"], found["fileset"]) == ("/inbox/a b", "a b", stored.fileset)
    assert found["uri"] == f"{BASE}/2.0/files/inbox/a%20b"
    assert found["metaUri"] == f"{BASE}/2.0/metadata/inbox/a%20b"
    assert list(found["metadata"]) == [*FIXED, "a", "b"]
    assert (found["metadata"]["size"], found["metadata"]["datatype"]) == ("7", "a/b")
    dates = [found["metadata"][name] for name in ("putDate", "lastModifiedTime", "creationTime")]
    assert dates == sorted(dates, reverse=True)
    assert all(T.fullmatch(date) for date in dates)
    unset = ("dstFileName", "correlationId", "firstReadDate", "lastAccessTime", "description")
    assert {found["metadata"][name] for name in unset} == {""}


@pytest.mark.parametrize("path", FOLDERS)
def test_item_54_only_a_folder(stored, path):
    """54: E-NOFILE."""
    assert refused(stored.get(f"/2.0/metadata{path}")) == E_NOFILE


def test_item_55_no_contract(stored):
    """55: E-CONF."""
    assert refused(stored.get(NAMED, "nocontract")) == E_CONF


def test_item_56_no_session(stored):
    """56: E-AUTH."""
    assert refused(stored.get(NAMED, None)) == E_AUTH


def test_item_57_no_read_right(stored):
    """57: E-R."""
    assert refused(stored.get(NAMED, "stranger")) == E_R


def test_item_58_an_unknown_file(stored):
    """58, D9: E-FILE2, which lacks the word File."""
    assert refused(stored.get("/2.0/metadata/inbox/x%20y")) == e_id("x y")


def test_item_59_an_unknown_folder(stored):
    """59: E-PATH."""
    assert refused(stored.get("/2.0/metadata/inbox/no/x")) == e_path("inbox/no")


@pytest.mark.parametrize("path", ["/2.0/metadatabyid", "/2.0/metadatabyid/"])
def test_item_61_no_id(stored, path):
    """61: E-NOSET, before anything is said of the body."""
    assert refused(stored.call("POST", path, data="x")) == E_NOSET


def test_item_63_no_contract(stored):
    """63: E-CONF."""
    assert refused(_write(stored, stored.by_id, {}, "nocontract")) == E_CONF


def test_item_64_no_session(stored):
    """64: E-AUTH."""
    assert refused(_write(stored, stored.by_id, {}, None)) == E_AUTH


def test_item_65_no_write_right(stored):
    """65: E-W, asked of the file's folder."""
    assert refused(_write(stored, stored.by_id, {}, "reader1")) == E_W


@pytest.mark.parametrize("text", ["abc", "0", "01", "4711", "9223372036854775808"])
def test_item_66_no_such_id(stored, text):
    """66: E-ID."""
    assert refused(_write(stored, f"/2.0/metadatabyid/{text}", {})) == e_id(text)


@pytest.mark.parametrize("path", ["/2.0/metadatabyid", "/2.0/metadatabyid/"])
def test_item_68_no_id(stored, path):
    """68: E-NOSET."""
    assert refused(stored.get(path)) == E_NOSET


def test_item_69_no_contract(stored):
    """69: E-CONF."""
    assert refused(stored.get(stored.by_id, "nocontract")) == E_CONF


def test_item_70_no_session(stored):
    """70: E-AUTH."""
    assert refused(stored.get(stored.by_id, None)) == E_AUTH


def test_item_71_no_read_right(stored):
    """71: E-R, asked of the file's folder."""
    assert refused(stored.get(stored.by_id, "stranger")) == E_R


@pytest.mark.parametrize("text", ["abc", "0", "01", "4711", "9223372036854775808"])
def test_item_72_no_such_id(stored, text):
    """72: E-ID."""
    assert refused(stored.get(f"/2.0/metadatabyid/{text}")) == e_id(text)


def test_at_most_64_custom_attributes_together(stored):
    """S24: existing attributes count too; a replaced one counts once."""
    assert _write(stored, NAMED, {f"k{number}": "1" for number in range(64)}).status_code == 200
    assert _write(stored, NAMED, {"k1": "2", "description": "d"}).status_code == 200
    assert refused(_write(stored, NAMED, {"one more": "1"})) == E_SYN
    assert len(_read(stored)) == 74


def test_metadata_goes_with_its_content(stored):
    """S15: a new content starts without, and a write by the old id changes nothing."""
    _write(stored, NAMED, {"a": "1"})
    stored.put("/2.0/files/inbox/a%20b", b"new")
    assert "a" not in _read(stored)
    assert refused(_write(stored, stored.by_id, {"a": "1"})) == e_id(stored.fileset)
