"""S37: a request that means a part of a file, or an encoded form of it, is refused and never stored as the file."""

import base64
import codecs
import io

import pytest

from tests.service.filestore_svc.filestore_lab import Lab, identity_of
from tests.service.filestore_svc.test_resumable_uploads import TUS, create, head, location, patch
from tests.service.filestore_svc.vendor_words import E_SYN, done, multipart, part, refused, with_metadata

RANGE = {"Content-Range": "bytes 5-9/10"}
INTERNAL = "/internal/v1/upload/0123456789abcdef0123456789abcdef"


class _Body(io.BytesIO):
    reads = 0

    def read(self, size=-1):
        self.reads += 1
        return super().read(size)


@pytest.fixture
def raw(tmp_path):
    """A store that takes bare bodies too."""
    made = Lab(tmp_path, raw_put=True)
    yield made
    made.close()


def _nothing_stored(lab):
    return (lab.leftovers(), lab.blobs(), lab.events("file.stored.v1")) == ([], [], [])


@pytest.mark.parametrize(
    "headers",
    [
        RANGE,
        {"Content-Range": ""},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "identity, br"},
        {"Upload-Complete": "?0"},
        {"Upload-Incomplete": "?1"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("PUT", "/2.0/files/in/a", "multipart/form-data; boundary=XbX"),
        ("PUT", "/2.0/files/in/a", "application/octet-stream"),
        ("POST", "/2.0/files/in", "multipart/form-data; boundary=XbX"),
        ("PATCH", INTERNAL, "application/octet-stream"),
    ],
)
def test_an_upload_of_a_part_is_refused_before_its_body(raw, method, path, kind, headers):
    """`Content-Range` (`curl -C`, RFC 9110 14.5), an encoding and a draft's incomplete upload are E-SYN, unread."""
    body = _Body(multipart(part("metadata", "{}"), part("file", b"tail", "a"))["data"])
    environ = {"wsgi.input": body, "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body.getvalue()))}
    internal = path == INTERNAL
    who = identity_of("system" if internal else "part1")
    answer = raw.call(method, path, who=who, headers={"Upload-Offset": "0", **headers}, environ=environ)
    if internal:
        assert (answer.status_code, answer.json["message"]) == (400, E_SYN[1])
    else:
        assert refused(answer, timestamp=method == "PUT") == E_SYN
    assert (body.reads, _nothing_stored(raw)) == (0, True)


@pytest.mark.parametrize("headers", [{"Content-Encoding": "identity"}, {"Upload-Complete": "?1"}], ids=str)
def test_an_upload_that_says_that_it_is_whole_is_taken(lab, headers):
    """The same headers with the values of a whole and plain file change nothing."""
    done(lab.put("/2.0/files/in/a", b"hello", headers=headers), "Upload successful", 201)
    assert lab.get("/2.0/files/in/a").data == b"hello"


@pytest.mark.parametrize("headers", [RANGE, {"Content-Encoding": "gzip"}], ids=str)
def test_resumable_uploads_refuse_ranges_and_encodings(lab, headers):
    """Neither a creation nor a piece has a range or an encoding; the upload goes on where it was."""
    assert refused(create(lab, headers=headers)) == E_SYN
    where = location(lab)
    assert refused(patch(lab, where, 0, b"01234", **headers)) == E_SYN
    assert head(lab, where).headers["Upload-Offset"] == "0"


@pytest.mark.parametrize(
    "headers",
    [
        {"Upload-Concat": "partial"},
        {"Upload-Concat": "final;/2.0/uploads/a /2.0/uploads/b"},
        {"Upload-Defer-Length": "1"},
        {"Upload-Defer-Length": "1", "Upload-Length": ""},
        {"Upload-Concat": "", "Tus-Resumable": "0.2.2"},
        {"Upload-Concat": "partial", "Upload-Metadata": ""},
    ],
    ids=str,
)
def test_extensions_of_tus_that_are_not_offered_are_refused(lab, headers):
    """X1: `Upload-Concat` and `Upload-Defer-Length` are 400 at the creation, whatever else it says."""
    answer = create(lab, headers=headers)
    assert refused(answer) == E_SYN
    assert answer.headers["Tus-Resumable"] == TUS["Tus-Resumable"]
    assert lab.events() == []


ENCODED = base64.b64encode(b"hello")


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("on", ["file", "metadata"])
@pytest.mark.parametrize("encoding", ["base64", "BASE64", "quoted-printable", "x-uuencode", "8bit, base64", ""])
def test_encoded_parts_are_refused(lab, method, on, encoding):
    """A `Content-Transfer-Encoding` that changes the bytes is E-SYN, for the file and for its metadata."""
    headers = {each: {"Content-Transfer-Encoding": encoding} if each == on else {} for each in ("file", "metadata")}
    body = multipart(
        part("metadata", "{}", None, "application/json", **headers["metadata"]),
        part("file", ENCODED, "a", **headers["file"]),
    )
    answer = lab.call(method, "/2.0/files/in/a" if method == "PUT" else "/2.0/files/in", **body)
    assert refused(answer, timestamp=method == "PUT") == E_SYN
    assert _nothing_stored(lab)


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "binary", "Binary"])
def test_parts_that_are_not_encoded_are_taken(lab, encoding):
    """The three values that change nothing are what many clients send."""
    headers = {"Content-Transfer-Encoding": encoding}
    body = multipart(part("metadata", "{}", None, None, **headers), part("file", b"hello", "a", **headers))
    done(lab.call("POST", "/2.0/files/in", **body), "Upload successful", 201, timestamp=False)
    assert lab.get("/2.0/files/in/a").data == b"hello"


@pytest.mark.parametrize("headers", [RANGE, {"Content-Encoding": "gzip"}], ids=str)
def test_parts_of_ranges_and_encodings_are_refused(lab, headers):
    """A header that is refused in the head of the request is refused in the head of the file's part too."""
    assert refused(lab.call("PUT", "/2.0/files/in/a", **multipart(part("file", b"hello", "a", **headers)))) == E_SYN
    assert _nothing_stored(lab)


def test_a_second_header_does_not_hide_behind_the_first(lab):
    """A part that says the same header twice is E-SYN: no reader can tell which of the two is meant."""
    twice = part(
        "file", ENCODED, "a", "text/plain\r\nContent-Transfer-Encoding: 8bit", content_transfer_encoding="base64"
    )
    assert refused(lab.call("PUT", "/2.0/files/in/a", **multipart(twice))) == E_SYN


@pytest.mark.parametrize(
    ("disposition", "stored"),
    [
        (r'filename="C:\Users\x\rep.txt"', None),
        (r'filename="C:\\Users\\rep.txt"', None),
        (r'filename="a\b.txt"', None),
        ("filename=my report.txt", None),
        ("filename=my/report.txt", None),
        ('filename="my "own" report.txt"', None),
        ('filename="a.txt"b', None),
        ('filename="a.txt', None),
        ('filename="a.txt"; filename="b.txt"', None),
        ("filename*=UTF-8''a%ffb", None),
        ("filename*0=a; filename*1=b", None),
        ("filename", None),
        (r'filename="say \"hi\".txt"', 'say "hi".txt'),
        ('filename="100%25 %22x%22.txt"', "100%25 %22x%22.txt"),
        ("filename=plain-name_1.txt", "plain-name_1.txt"),
        ("FileName = plain.txt ;", "plain.txt"),
        ("filename=\"fallback\"; filename*=UTF-8''n%C3%A4me.txt", "n\u00e4me.txt"),
        ("filename*=utf-8'de'n%C3%A4me.txt; filename=fallback", "n\u00e4me.txt"),
        ("filename*=ISO-8859-1''n%E4me.txt", "n\u00e4me.txt"),
        ('filename="n\u00e4me; a.txt"', "n\u00e4me; a.txt"),
    ],
)
def test_file_names_are_stored_whole_or_not_at_all(lab, disposition, stored):
    """A backslash that escapes nothing belongs to the name (S6 refuses it); no name is ever shortened."""
    head_line = f'Content-Disposition: form-data; name="file"; {disposition}'
    body = multipart(part("metadata", "{}"), head_line.encode() + b"\r\n\r\nhello")
    answer = lab.call("POST", "/2.0/files/in", **body)
    if stored is None:
        assert refused(answer, timestamp=False) == E_SYN
        assert _nothing_stored(lab)
    else:
        done(answer, "Upload successful", 201, timestamp=False)
        assert [event["path"] for event in lab.events("file.stored.v1")] == [f"/in/{stored}"]


def test_metadata_may_begin_with_one_byte_order_mark(lab):
    """S26: Windows PowerShell writes one; a second one is no JSON."""
    mark = codecs.BOM_UTF8
    text = {"data": mark + b'{"ship":"Ada"}', "headers": {"Content-Type": "application/json"}}
    fileset = lab.put("/2.0/files/in/a").json["fileset"]
    for path in ("/2.0/metadata/in/a", f"/2.0/metadatabyid/{fileset}"):
        done(lab.call("POST", path, **text), "Metadata updated")
        assert refused(lab.call("POST", path, **{**text, "data": mark + text["data"]})) == E_SYN
    assert lab.get("/2.0/metadata/in/a").json["metadata"]["ship"] == "Ada"
    answer = lab.call("POST", "/2.0/files/in", **with_metadata("b", metadata=text["data"]))
    done(answer, "Upload successful", 201, timestamp=False)
    where = location(lab, "/in/c", 1, about={"metadata": text["data"].decode()})
    assert patch(lab, where, 0, b"x").status_code == 204
    shown = lab.get("/2.0/directories/in?type=files&attributes=ship").json["files"]
    assert [each["attributes"] for each in shown] == [{"ship": "Ada"}] * 3
