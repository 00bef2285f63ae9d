"""Generated paths, filters, metadata and bodies keep the rules of the protocol."""

import io
import json
import math
import unicodedata
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.filestore_svc.filestore_lab import Lab
from tests.service.filestore_svc.vendor_words import E_SYN, done, multipart, part, refused, with_metadata

KINDLY = settings(
    max_examples=80, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
FILTERED = ["a.txt", "b.txt", "a.b.c", "_", "__", "_.txt", "order_7.csv", "*", "[a]", "a*b", "ä", "%", "A.TXT", "x?y"]
PIECES = [
    "%",
    "25",
    "2e",
    "2f",
    "5c",
    "00",
    ".",
    "/",
    "a",
    "%c3%a4",
    "a%cc%88",
    "%ff",
    "%0a",
    " ",
    "in",
    "..",
    "?",
    "#",
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One store for all examples: each replaces the file of the one before."""
    lab = Lab(tmp_path_factory.mktemp("properties"))
    for name in FILTERED:
        lab.put(f"/2.0/files/out/{quote(name, safe='')}", b"")
    yield lab
    lab.close()


def _is_name(raw):
    """Decide by S6 whether a piece is a name, independently of the service."""
    try:
        text = unicodedata.normalize("NFC", raw.decode())
    except UnicodeDecodeError:
        return False
    plain = not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text)
    return plain and text not in ("", ".", "..") and "\\" not in text and len(text.encode()) <= 255


@KINDLY
@given(tail=st.lists(st.sampled_from(PIECES), max_size=5).map("".join) | st.binary(max_size=40).map(quote_from_bytes))
def test_paths(shared, tail):
    """S5 to S7: a file is stored in `/in` exactly where the path spells one name below it, and under that name."""
    path = f"/2.0/files/in/{tail}".partition("?")[0].partition("#")[0]
    raw = unquote_to_bytes(path)[len(b"/2.0/files/in/") :]
    answer = shared.call("PUT", path, **multipart(part("file", b"x")))
    if not _is_name(raw) or b"/" in raw or raw in (b"sub", b"closed"):
        refused(answer)
        return
    fileset = done(answer, "Upload successful", 201)
    name = unicodedata.normalize("NFC", raw.decode())
    assert shared.get(f"/2.0/metadatabyid/{fileset}").json["id"] == f"/in/{name}"
    assert done(shared.call("DELETE", path), "File deleted") == fileset


def _matches(pattern, name):
    """Match by D1 alone: `*` is any run of characters, and so is `_` as a whole piece between dots."""
    text = ".".join("*" if piece == "_" else piece for piece in pattern.split("."))
    reachable = {0}
    for character in text:
        if character == "*":
            reachable = set(range(min(reachable), len(name) + 1)) if reachable else set()
        else:
            reachable = {at + 1 for at in reachable if at < len(name) and name[at] == character}
    return len(name) in reachable


@KINDLY
@given(pattern=st.text(st.sampled_from("ab.*_?[]%\\txcsvorde7äA"), min_size=1, max_size=8) | st.sampled_from(FILTERED))
def test_filters(shared, pattern):
    """D1: countelements and directories agree with a matcher of six lines."""
    wanted = sorted(name for name in FILTERED if _matches(pattern, name))
    query = f"?direction=asc&filter={quote(pattern, safe='')}"
    listed = shared.get(f"/2.0/directories/out{query}").json
    assert [each["filename"] for each in listed["files"]] == wanted
    assert shared.get(f"/2.0/countelements/out{query}").data.decode() == listed["totalCount"] == str(len(wanted))


SCALARS = st.text(max_size=20) | st.integers() | st.booleans()
ANY = st.recursive(
    SCALARS | st.none() | st.floats(allow_nan=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIXED = {"size", "putDate", "firstReadDate", "lastModifiedTime", "lastAccessTime", "creationTime", "datatype"}


def _attributes(value):
    """Return the text that S22 stores for a value, None where it is E-SYN."""
    if isinstance(value, dict) and list(value) == ["metadata"] and isinstance(value["metadata"], dict):
        value = value["metadata"]
    if not isinstance(value, dict):
        return None
    for key, each in value.items():
        odd = {unicodedata.category(character) for character in key} & {"Cc", "Cs"}
        if not key or odd or key in FIXED or not isinstance(each, str | int | float):
            return None
        if isinstance(each, float) and not math.isfinite(each):
            return None
        if isinstance(each, str) and ("\0" in each or any("\ud800" <= character <= "\udfff" for character in each)):
            return None
    return {key: each if isinstance(each, str) else json.dumps(each) for key, each in value.items()}


@KINDLY
@given(value=st.dictionaries(st.text(max_size=8) | st.sampled_from(sorted(FIXED)), SCALARS, max_size=4) | ANY)
def test_metadata(shared, value):
    """S22, S23: an accepted value is read back as it was sent; every other one is E-SYN and changes nothing."""
    shared.put("/2.0/files/in/described")
    before = shared.get("/2.0/metadata/in/described").json["metadata"]
    headers = {"Content-Type": "application/json"}
    answer = shared.call("POST", "/2.0/metadata/in/described", data=json.dumps(value), headers=headers)
    wanted = _attributes(value)
    after = shared.get("/2.0/metadata/in/described").json["metadata"]
    if wanted is None:
        assert refused(answer) == E_SYN
        assert after == before
    else:
        done(answer, "Metadata updated")
        assert after == before | wanted


@KINDLY
@given(raw=st.binary(max_size=60) | st.text('{}[]":,\\ua1e.- ', max_size=40).map(str.encode))
def test_metadata_that_is_any_bytes(shared, raw):
    """S22: no bytes at all make anything but a success or E-SYN, in the body as in the part."""
    shared.put("/2.0/files/in/described")
    headers = {"Content-Type": "application/json"}
    direct = shared.call("POST", "/2.0/metadata/in/described", data=raw, headers=headers)
    body = with_metadata("described", metadata=raw) if b"\r\n--XbX" not in raw else with_metadata("described")
    in_part = shared.call("POST", "/2.0/files/in", **body)
    for answer in (direct, in_part):
        assert answer.status_code in (200, 201) or answer.json["message"] == E_SYN[1]


class _InPieces(io.RawIOBase):
    """A body that arrives in pieces of given sizes, over and over."""

    def __init__(self, body, sizes):
        super().__init__()
        self._body, self._sizes, self._at = body, sizes, 0

    def read(self, size=-1):
        piece = self._sizes[self._at % len(self._sizes)]
        self._at += 1
        stop = piece if size < 0 else min(piece, size)
        block, self._body = self._body[:stop], self._body[stop:]
        return block


CONTENTS = st.lists(
    st.sampled_from([b"\r\n", b"--", b"\r\n--XbX", b"\n--XbX\n", b"XbX", b"\r", b"\n", b"-", b"\r\n--Xb", b"a", b"\0"])
    | st.binary(max_size=5),
    max_size=12,
).map(b"".join)


@KINDLY
@given(
    content=CONTENTS,
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    cut=st.integers(0, 60) | st.integers(0, 4),
    turned=st.booleans(),
)
def test_multipart_bodies(shared, content, sizes, cut, turned):
    """S12, S13: for every division of a body into reads, the file is the content between the boundaries, or none."""
    if b"\r\n--XbX\r\n" in b"\r\n" + content + b"\r\n" or b"\r\n--XbX--" in b"\r\n" + content:
        content = content.replace(b"XbX", b"XbY")
    parts = [part("metadata", '{"a":"b"}'), part("file", content, "whole")]
    body = multipart(*(reversed(parts) if turned else parts))["data"]
    sent = body[: len(body) - cut]
    kind = "multipart/form-data; boundary=XbX"
    environ = {"wsgi.input": _InPieces(sent, sizes), "CONTENT_LENGTH": str(len(sent)), "CONTENT_TYPE": kind}
    shared.call("DELETE", "/2.0/files/in/whole")
    answer = shared.call("POST", "/2.0/files/in", environ=environ)
    if cut <= 2:
        # Without the last line break the final boundary is still whole.
        done(answer, "Upload successful", 201, timestamp=False)
        assert shared.get("/2.0/files/in/whole").data == content
    else:
        assert refused(answer, timestamp=False) == E_SYN
        assert shared.get("/2.0/files/in/whole").status_code == 404
    assert shared.leftovers() == []
