"""S14, S15, D5, X2, X3: settings of the configuration, made folders, and logout."""

import base64
import hashlib
import threading

import pytest

from tests.service.filestore_svc.filestore_lab import ALL, BASE, SECTION, Lab, form, identity_of
from tests.service.filestore_svc.vendor_words import (
    E_AUTH,
    E_CONF,
    E_LPATH,
    E_NOFILE,
    E_SYN,
    NO_CREATE,
    ORIGIN,
    T,
    done,
    exists,
    multipart,
    part,
    refused,
    with_metadata,
)


@pytest.fixture
def made(tmp_path):
    """Make stores with a configuration of the test's own."""
    labs = []

    def make(**section):
        labs.append(Lab(tmp_path, **section))
        return labs[-1]

    yield make
    for each in labs:
        each.close()


@pytest.fixture
def maker(made):
    """A store in which part1 may make folders below `/in`, of which one has a list of its own."""
    own = {"/in": {"access": {"part1": [*ALL, "create"]}}, "/in/closed": {"access": {"part2": ALL}}}
    return made(folders={**SECTION["folders"], **own})


@pytest.mark.parametrize("content_type", ["application/x-custom", "", "text/plain; charset=utf-8"])
def test_raw_put(made, content_type):
    """S14: where it is switched on, a body that is no multipart is the file itself."""
    lab = made(raw_put=True)
    headers = {"Content-Type": content_type} if content_type else {}
    done(lab.call("PUT", "/2.0/files/in/raw", data=b"--as it is", headers=headers), "Upload successful", 201)
    found = lab.get("/2.0/files/in/raw")
    assert (found.data, found.headers["Content-Type"]) == (b"--as it is", content_type or "application/octet-stream")
    wrong = {"Repr-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:", **headers}
    assert refused(lab.call("PUT", "/2.0/files/in/raw", data=b"x", headers=wrong)) == E_SYN
    assert refused(lab.call("PUT", "/2.0/files/in", data=b"x", headers=headers)) == E_NOFILE
    assert lab.put("/2.0/files/in/form", b"in a form").status_code == 201
    assert lab.get("/2.0/files/in/form").data == b"in a form"
    cut = lab.call("PUT", "/2.0/files/in/raw", data=b"cut", environ={"CONTENT_LENGTH": "9"}, headers=headers)
    assert refused(cut) == E_SYN
    multi = {"Content-Type": "multipart/mixed; boundary=x"}
    assert refused(lab.call("PUT", "/2.0/files/in/raw", data=b"x", headers=multi)) == E_SYN
    assert lab.get("/2.0/files/in/raw").data == b"--as it is"


def test_raw_put_is_off(lab):
    """S14: by default such a body is E-SYN."""
    assert refused(lab.call("PUT", "/2.0/files/in/raw", data=b"x", content_type="application/x-custom")) == E_SYN


def test_keep_metadata(made):
    """S15: with `keep_metadata` a new content keeps the attributes that its upload does not set."""
    lab = made(keep_metadata=True)
    first = with_metadata("a", metadata='{"kept":"1","changed":"1","description":"d","correlationId":"7"}')
    lab.call("POST", "/2.0/files/in", **first)
    second = with_metadata("a", b"new", metadata='{"changed":"2","more":"3","correlationId":"8"}')
    lab.call("POST", "/2.0/files/in", **second)
    lab.put("/2.0/files/in/a", b"newer")
    found = lab.get("/2.0/metadata/in/a").json["metadata"]
    wanted = {"kept": "1", "changed": "2", "more": "3", "description": "d", "correlationId": "8", "size": "5"}
    assert {name: found[name] for name in wanted} == wanted
    assert [event["correlation_id"] for event in lab.events("file.stored.v1")] == ["7", "8", "8"]


def test_keep_metadata_has_the_same_limit(made):
    """S24: kept attributes count; an upload that would exceed the limit changes nothing."""
    lab = made(keep_metadata=True)
    for prefix, status in (("a", 201), ("a", 201), ("b", 400)):
        many = ",".join(f'"{prefix}{number}":""' for number in range(64))
        answer = lab.call("POST", "/2.0/files/in", **with_metadata("a", prefix.encode(), f"{{{many}}}"))
        assert answer.status_code == status
    assert lab.get("/2.0/files/in/a").data == b"a"


def test_on_conflict_reject(made):
    """S15: 409 for PUT and POST alike, before any byte of the file is taken."""
    lab = made(on_conflict="reject")
    lab.put("/2.0/files/in/a", b"first")
    assert refused(lab.put("/2.0/files/in/a", b"second")) == exists("a")
    assert refused(lab.call("POST", "/2.0/files/in", **with_metadata("a")), timestamp=False) == exists("a")
    assert lab.get("/2.0/files/in/a").data == b"first"
    assert lab.leftovers() == []


def test_timestamps_everywhere(made):
    """D5: one switch puts the timestamp where the vendor leaves it out."""
    lab = made(timestamps_everywhere=True)
    done(lab.call("POST", "/2.0/files/in", **with_metadata("a")), "Upload successful", 201)
    assert refused(lab.call("POST", "/2.0/files/in")) == E_SYN
    assert T.fullmatch(lab.call("POST", "/2.0/login/basic", None).json["timestamp"])


@pytest.mark.parametrize("where", ["request", "part"])
@pytest.mark.parametrize("header", ["Repr-Digest", "Content-MD5"])
@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_promised_digests(lab, where, header, right, method):
    """S17: over the file's bytes, on the request and on the part; a mismatch is E-SYN, and nothing is stored."""
    content = b"hello" if right else b"hallo"
    digest = (hashlib.md5 if header == "Content-MD5" else hashlib.sha256)(content).digest()
    text = base64.b64encode(digest).decode()
    value = {header: text if header == "Content-MD5" else f"sha-256=:{text}:, sha-512=:AAAA:"}
    on_part = value if where == "part" else {}
    body = multipart(part("metadata", "{}"), part("file", b"hello", "a", **on_part))
    if where == "request":
        body["headers"] |= value
    path = "/2.0/files/in/a" if method == "PUT" else "/2.0/files/in"
    answer = lab.call(method, path, **body)
    if right:
        done(answer, "Upload successful", 201, timestamp=method == "PUT")
    else:
        assert refused(answer, timestamp=method == "PUT") == E_SYN
        assert (lab.leftovers(), lab.blobs()) == ([], [])


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


def test_making_a_folder(maker):
    """X2: 201 and where it is; it has its parent's list, and stays when the service starts anew."""
    answer = maker.call("POST", "/2.0/directories/in/n%C3%A4w/")
    assert (answer.status_code, list(answer.json)) == (201, ["result", "timestamp", "message"])
    assert answer.headers["Location"] == f"{BASE}/2.0/directories/in/n%C3%A4w"
    assert maker.put("/2.0/files/in/n%C3%A4w/a", b"kept").status_code == 201
    assert maker.call("POST", "/2.0/directories/in/n%C3%A4w/deeper").status_code == 201
    maker.close()
    maker.open()
    assert maker.get("/2.0/files/in/n%C3%A4w/a").data == b"kept"
    assert maker.get("/2.0/countelements/in/n%C3%A4w").data == b"2"


def test_a_right_to_a_made_folder_ends_with_the_configuration_that_gave_it(maker):
    """A list that crossdock.yaml gave to an account-made folder goes with its entry; the parent's list holds again."""
    folders = maker.document["http_mft"]["folders"]
    maker.call("POST", "/2.0/directories/in/made")
    maker.put("/2.0/files/in/made/a", b"hello")
    told = []
    for given in ({"/in/made": {"access": {"reader1": ["list", "read"]}}}, {}):
        maker.close()
        maker.document["http_mft"]["folders"] = {**folders, **given}
        maker.open()
        told.append([maker.get("/2.0/files/in/made/a", account).status_code for account in ("reader1", "part1")])
    assert told == [[200, 403], [403, 200]]


@pytest.mark.parametrize(
    ("path", "account", "told"),
    [
        ("/in/x", None, E_AUTH),
        ("/in/x", "nocontract", E_CONF),
        ("/in/x", "reader1", NO_CREATE),
        ("/inbox/x", "part1", NO_CREATE),
        ("/x", "part1", NO_CREATE),
        ("", "part1", NO_CREATE),
        ("/in/closed/x", "part1", NO_CREATE),
        ("/nosuch/x", "part1", E_LPATH),
        ("/in/nosuch/x", "part1", E_LPATH),
        ("/in/..", "part1", E_LPATH),
        ("/in/%00", "part1", E_LPATH),
        ("/in/" + "a" * 256, "part1", E_LPATH),
        ("/in/sub", "part1", exists("sub")),
        ("/in/file", "part1", exists("file")),
    ],
)
def test_folders_that_are_not_made(maker, path, account, told):
    """X2: the right is asked of the parent, and a name that is taken is 409."""
    maker.put("/2.0/files/in/file")
    assert refused(maker.call("POST", f"/2.0/directories{path}", account)) == told
    assert maker.get("/2.0/countelements/in").data == b"3"


def test_a_folder_out_of_sight_is_not_made_anew(maker):
    """X2, S9: the name of a folder that the configuration no longer has is taken: its files stay out of reach."""
    folders = maker.document["http_mft"]["folders"]
    less = {path: each for path, each in folders.items() if path != "/in/closed"}
    maker.document = {"http_mft": {**maker.document["http_mft"], "folders": less}}
    maker.close()
    maker.open()
    assert refused(maker.call("POST", "/2.0/directories/in/closed")) == exists("closed")


def test_a_file_cannot_take_the_name_of_a_folder(maker):
    """X2: also where the folder is made while the file's body comes."""
    body = form(b"mine")
    stream = _Meanwhile(body, lambda: maker.call("POST", "/2.0/directories/in/both"))
    kind = "multipart/form-data; boundary=XbX"
    environ = {"wsgi.input": stream, "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    assert refused(maker.call("PUT", "/2.0/files/in/both", environ=environ)) == exists("both")
    assert refused(maker.call("POST", "/2.0/files/in", **with_metadata("both")), timestamp=False) == E_NOFILE
    assert (maker.leftovers(), maker.blobs()) == ([], [])


def test_logout(lab):
    """X3: the session is closed by its public id, and both cookies are sent expired."""
    answer = lab.call("POST", "/2.0/logout", who=identity_of("part1", session="public-7"))
    assert (answer.status_code, answer.data) == (200, b"")
    assert lab.accounts.closed == [("filestore-svc", "public-7")]
    user, session = answer.headers.getlist("Set-Cookie")
    expired = "Version=1;Path=/;Max-Age=0;Expires=Thu, 01 Jan 1970 00:00:00 GMT;HttpOnly"
    assert (user, session) == (f"sp-http-usr=;{expired}", f"sp-http-ses=;{expired}")


def test_refused_logouts(lab):
    """X3: E-AUTH and E-CONF as in every call, and Foreign origin for the page of another site."""
    assert refused(lab.call("POST", "/2.0/logout", None)) == E_AUTH
    assert refused(lab.call("POST", "/2.0/logout", "nocontract")) == E_CONF
    assert refused(lab.call("POST", "/2.0/logout", headers={"Origin": "http://evil.test"})) == ORIGIN
    assert lab.accounts.closed == []


def test_the_own_origin_may_write(made):
    """S34: the hub's own address and the configured ones; `null` is another site's."""
    lab = made(origins=["https://portal.test"])
    for origin, status in ((BASE, 201), ("https://portal.test", 201), (None, 201), ("null", 403)):
        assert lab.put("/2.0/files/in/a", headers={"Origin": origin} if origin else {}).status_code == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/2.0/files/in/a"),
        ("POST", "/2.0/files/in"),
        ("DELETE", "/2.0/files/in/a"),
        ("DELETE", "/2.0/fileset/1"),
        ("POST", "/2.0/metadata/in/a"),
        ("POST", "/2.0/metadatabyid/1"),
        ("POST", "/2.0/directories/in/a"),
    ],
)
def test_foreign_origins_at_every_write(lab, method, path):
    """S34: before anything is said of URL, headers or body."""
    answer = lab.call(method, path, headers={"Origin": "http://evil.test"})
    assert refused(answer, timestamp=path != "/2.0/files/in") == ORIGIN
