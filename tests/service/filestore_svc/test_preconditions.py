"""S18 and S27: conditions of writes and of downloads, before the body and again at the commit."""

import threading

import pytest
from werkzeug.http import http_date

from tests.service.filestore_svc.filestore_lab import form
from tests.service.filestore_svc.test_resumable_uploads import create, head, location, patch
from tests.service.filestore_svc.vendor_words import E_NOFILE, PRECONDITION, done, refused, with_metadata

FILE = "/2.0/files/in/a"
JSON = {"Content-Type": "application/json"}
FORM = "multipart/form-data; boundary=XbX"
# The middle of a second, with room on both sides.
AT = 1_790_000_000_400


@pytest.fixture
def stored(lab):
    """A store with one file, of a second that is over; its fileset is the store's `fileset`."""
    lab.clock = AT
    lab.fileset = done(lab.put(FILE, b"first"), "Upload successful", 201)
    lab.clock = AT + 60_000
    return lab


def dated(seconds):
    """Return the date so many seconds after the file was stored."""
    return http_date(AT // 1000 + seconds)


def _put(lab, **headers):
    return lab.put(FILE, b"second", headers=headers)


def _post(lab, **headers):
    body = with_metadata("a", b"second")
    return lab.call("POST", "/2.0/files/in", data=body["data"], headers=body["headers"] | headers)


def _delete(lab, **headers):
    return lab.call("DELETE", FILE, headers=headers)


def _delete_by_id(lab, **headers):
    return lab.call("DELETE", f"/2.0/fileset/{lab.fileset}", headers=headers)


def _describe(lab, **headers):
    return lab.call("POST", "/2.0/metadata/in/a", data='{"a":"b"}', headers={**JSON, **headers})


def _describe_by_id(lab, **headers):
    return lab.call("POST", f"/2.0/metadatabyid/{lab.fileset}", data='{"a":"b"}', headers={**JSON, **headers})


def _create(lab, **headers):
    return create(lab, "/in/a", headers=headers)


WRITES = [_put, _post, _delete, _delete_by_id, _describe, _describe_by_id, _create]


def _unchanged(lab):
    found = lab.get("/2.0/metadata/in/a").json
    return found["fileset"] == lab.fileset and "a" not in found["metadata"] and lab.leftovers() == []


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("date", [dated(-1), "Thu, 01 Jan 1970 00:00:00 GMT", "yesterday", ""])
def test_a_file_that_was_modified_since_is_left_alone(stored, write, date):
    """`If-Unmodified-Since` of an earlier second, and one that is no date: 412, for no condition is ignored."""
    assert refused(write(stored, **{"If-Unmodified-Since": date}), timestamp=write is not _post) == PRECONDITION
    assert _unchanged(stored)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("headers", [{"If-Match": '"x"'}, {"If-Match": ""}, {"If-None-Match": "*"}], ids=str)
def test_tags_that_do_not_hold(stored, write, headers):
    """`If-Match` of another content, or of none, and `If-None-Match` of whatever is there: 412."""
    assert refused(write(stored, **headers), timestamp=write is not _post) == PRECONDITION
    assert _unchanged(stored)


@pytest.mark.parametrize("headers", [{"If-Match": '"x"'}, {"If-Unmodified-Since": dated(-1)}], ids=str)
@pytest.mark.parametrize("path", ["/2.0/metadata/in/a", "/2.0/metadatabyid/"])
def test_a_precondition_is_asked_before_the_body(stored, path, headers):
    """S1: a body that is no JSON is not what the client hears of."""
    path += str(stored.fileset) if path.endswith("/") else ""
    assert refused(stored.call("POST", path, data="{", headers={**JSON, **headers})) == PRECONDITION


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("seconds", [0, 1])
def test_a_file_that_was_not_modified_since_is_written(stored, write, seconds):
    """The date of `Last-Modified`, and any later one, holds."""
    assert stored.get(FILE).headers["Last-Modified"] == dated(0)
    assert write(stored, **{"If-Unmodified-Since": dated(seconds)}).status_code in (200, 201)


@pytest.mark.parametrize("write", WRITES)
def test_a_tag_goes_before_the_date(stored, write):
    """RFC 9110 13.2.2: with `If-Match` the date does not count, whichever way it is."""
    etag = stored.get(FILE).headers["ETag"]
    wrong = {"If-Match": '"x"', "If-Unmodified-Since": dated(1)}
    assert refused(write(stored, **wrong), timestamp=write is not _post) == PRECONDITION
    assert write(stored, **{"If-Match": etag, "If-Unmodified-Since": dated(-1)}).status_code in (200, 201)


@pytest.mark.parametrize("write", [_put, _post, _create])
@pytest.mark.parametrize("headers", [{"If-Unmodified-Since": dated(100)}, {"If-Match": "*"}], ids=str)
def test_a_file_that_is_gone_is_not_made_anew(stored, write, headers):
    """A client that read a file and asks for that state does not undo that it was deleted meanwhile."""
    stored.call("DELETE", FILE)
    assert refused(write(stored, **headers), timestamp=write is not _post) == PRECONDITION
    assert stored.get(FILE).status_code == 404


@pytest.mark.parametrize("write", [_put, _post, _create])
def test_a_new_file_is_made_once(lab, write):
    """`If-None-Match: *` takes a name that is free."""
    assert write(lab, **{"If-None-Match": "*"}).status_code == 201
    _put(lab)
    assert refused(write(lab, **{"If-None-Match": "*"}), timestamp=write is not _post) == PRECONDITION


def test_a_precondition_comes_after_the_url(lab):
    """S1: what the URL shows goes before what the headers ask."""
    assert refused(lab.call("POST", "/2.0/metadata/in", headers={"If-Unmodified-Since": "x"})) == E_NOFILE


class _Meanwhile:
    """A body whose first read runs another call to its end, as a second thread of the server would."""

    def __init__(self, body, act):
        self._rest, self._act = body, act

    def read(self, _size=-1):
        act, self._act = self._act, None
        if act:
            other = threading.Thread(target=act)
            other.start()
            other.join()
        block, self._rest = self._rest, b""
        return block


@pytest.mark.parametrize("condition", ["If-Match", "If-Unmodified-Since"])
@pytest.mark.parametrize(
    ("method", "path", "body", "content_type"),
    [
        ("PUT", FILE, form(b"mine"), FORM),
        ("POST", "/2.0/files/in", with_metadata("a", b"mine")["data"], FORM),
        ("POST", "/2.0/metadata/in/a", b'{"a":"b"}', "application/json"),
    ],
)
def test_a_change_while_the_body_comes_is_seen_at_the_commit(stored, method, path, body, content_type, condition):
    """S18: what changes while the body comes is seen."""
    value = stored.get(FILE).headers["ETag" if condition == "If-Match" else "Last-Modified"]
    stream = _Meanwhile(body, lambda: stored.put(FILE, b"theirs"))
    environ = {"wsgi.input": stream, "CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    answer = stored.call(method, path, headers={condition: value}, environ=environ)
    assert refused(answer, timestamp=path != "/2.0/files/in") == PRECONDITION
    assert stored.get(FILE).data == b"theirs"
    assert "a" not in stored.get("/2.0/metadata/in/a").json["metadata"]


@pytest.mark.parametrize("meanwhile", ["replaced", "deleted", "left"])
@pytest.mark.parametrize("condition", ["If-Match", "If-Unmodified-Since"])
def test_a_resumable_upload_keeps_its_condition_to_the_end(stored, condition, meanwhile):
    """The condition of the creation is asked again with the last byte, also of a content of the same second."""
    value = stored.get(FILE).headers["ETag" if condition == "If-Match" else "Last-Modified"]
    where = location(stored, "/in/a", headers={condition: value})
    patch(stored, where, 0, b"01234")
    if meanwhile != "left":
        stored.call("DELETE", FILE)
    if meanwhile == "replaced":
        stored.clock = AT + 1
        stored.put(FILE, b"theirs")
        stored.clock = AT + 60_000
    answer = patch(stored, where, 5, b"56789")
    if meanwhile == "left":
        assert (answer.status_code, stored.get(FILE).data) == (204, b"0123456789")
    else:
        assert refused(answer) == PRECONDITION
        assert stored.get(FILE).data != b"0123456789"
        assert head(stored, where).status_code == 404


@pytest.mark.parametrize("by_id", [False, True])
def test_a_date_of_the_running_second_is_no_strong_validator(lab, by_id):
    """S27, RFC 9110 13.1.5: a range is not spliced to it and nothing is 304, until its second is over."""
    lab.clock = AT
    fileset = lab.put(FILE, b"first").json["fileset"]
    path = f"/2.0/fileset/{fileset}" if by_id else FILE
    date = lab.get(path).headers["Last-Modified"]
    part, seen = {"Range": "bytes=0-0", "If-Range": date}, {"If-Modified-Since": date}
    for wait, statuses in ((0, (200, 200)), (599, (200, 200)), (600, (206, 304))):
        lab.clock = AT + wait
        assert (lab.get(path, headers=part).status_code, lab.get(path, headers=seen).status_code) == statuses


def test_a_content_of_the_same_second_is_not_spliced(lab):
    """S27: the client that asks for the rest of what was replaced a moment ago gets the new content in full."""
    lab.clock = AT
    lab.put(FILE, b"first")
    date = lab.get(FILE).headers["Last-Modified"]
    lab.clock = AT + 300
    lab.put(FILE, b"other")
    answer = lab.get(FILE, headers={"Range": "bytes=2-", "If-Range": date})
    assert (answer.status_code, answer.data) == (200, b"other")
    assert lab.get(FILE, headers={"If-Modified-Since": date}).data == b"other"


def test_conditions_of_a_download(stored):
    """S27: what the client has is 304, another content than it wants is 412, and ranges come after both."""
    found = stored.get(FILE)
    etag, date = found.headers["ETag"], found.headers["Last-Modified"]
    for path in (FILE, f"/2.0/fileset/{stored.fileset}"):
        for seen in ({"If-None-Match": etag, "Range": "bytes=99-"}, {"If-Modified-Since": date}):
            answer = stored.get(path, headers=seen)
            assert (answer.status_code, answer.data) == (304, b"")
        for other in ({"If-Match": '"x"', "Range": "bytes=0-0"}, {"If-Unmodified-Since": dated(-1)}):
            assert refused(stored.get(path, headers=other)) == PRECONDITION
        assert stored.get(path, headers={"If-Match": "*", "Range": "bytes=0-0"}).status_code == 206
        assert stored.get(path, headers={"Range": "bytes=0-1", "If-Range": etag}).data == b"fi"
        assert stored.get(path, headers={"Range": "bytes=0-1", "If-Range": '"x"'}).data == b"first"
