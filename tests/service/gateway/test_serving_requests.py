"""Requests as the server reads them: malformed ones, targets, fields, chunks, pipelines."""

import json

import pytest

from mft_common import environ_keys
from tests.service.gateway.serving_lab import connect, read_all, read_answer, serving, talk

PAST = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
SMUGGLED = {
    "length and chunks": (
        b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "two lengths": b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "the same length twice": b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 4, 4\r\n\r\nabcd",
    "a signed length": b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\nabcd",
    "a length of other digits": "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: \u0664\r\n\r\nabcd".encode(),
    "a folded field": b"GET %s HTTP/1.1\r\nHost: h\r\nX-A: b\r\n c\r\n\r\n",
    "a coding other than chunked": b"POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a disguised coding": b"POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon": b"POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST %s HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET %s HTTP/1.1\nHost: h\n\n",
    "a bare carriage return": b"GET %s HTTP/1.1\r\nHost: h\r\nX-A: b\rc\r\n\r\n",
    "a zero byte": b"GET %s HTTP/1.1\r\nHost: h\r\nX-A: b\0c\r\n\r\n",
    "two hosts": b"GET %s HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
    "no host": b"GET %s HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "no host beside an absolute target": b"GET http://h%s HTTP/1.1\r\n\r\n",
    "a malformed host beside an absolute target": b"GET http://h%s HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a host with a path": b"GET %s HTTP/1.1\r\nHost: h/x\r\n\r\n",
    "a nameless field": b"GET %s HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n",
    "another version": b"GET %s HTTP/2.0\r\nHost: h\r\n\r\n",
    "two blanks in the line": b"GET  %s HTTP/1.1\r\nHost: h\r\n\r\n",
    "a lower-case method": b"get %s HTTP/1.1\r\nHost: h\r\n\r\n",
    "a method of mixed case": b"HeaD %s HTTP/1.1\r\nHost: h\r\n\r\n",
    "a fragment": b"GET %s#f HTTP/1.1\r\nHost: h\r\n\r\n",
}
MALFORMED_CHUNKS = {
    "a size that is none": b"xyz\r\nabc\r\n0\r\n\r\n",
    "a signed size": b"+3\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "a bare line feed": b"3\nabc\r\n0\r\n\r\n",
    "an extension with a bare carriage return": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "an extension without a name": b"3;\r\nabc\r\n0\r\n\r\n",
    "an extension's name that is no token": b"3;bad[=x\r\nabc\r\n0\r\n\r\n",
    "an extension without its value": b"3;a=\r\nabc\r\n0\r\n\r\n",
    "an extension's value without its last quote": b'3;a="b\r\nabc\r\n0\r\n\r\n',
    "an extension of the last chunk": b"3\r\nabc\r\n0;\r\n\r\n",
    "a blank after a size": b"3 \r\nabc\r\n0\r\n\r\n",
    "a line of 5,000 bytes": b"3;a=" + b"b" * 5000 + b"\r\nabc\r\n0\r\n\r\n",
    "forty trailers": b"0\r\n" + b"A: b\r\n" * 40 + b"\r\n",
    "a size of many digits": b"1" * 40 + b"\r\n",
    "a malformed trailer": b"0\r\nnot a field\r\n\r\n",
}


def echo(environ, start_response):
    """Answer with the request as the application sees it."""
    body = environ["wsgi.input"].read()
    answer = json.dumps(
        {
            "path": environ["PATH_INFO"],
            "raw": environ[environ_keys.RAW_PATH],
            "query": environ["QUERY_STRING"],
            "host": environ.get("HTTP_HOST"),
            "scheme": environ["wsgi.url_scheme"],
            "body": body.decode("latin-1"),
            "names": sorted(name for name in environ if name.startswith("HTTP_")),
        }
    ).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def never(environ, start_response):
    """Fail when called."""
    raise AssertionError("a malformed request reached the application")


@pytest.mark.parametrize("raw", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_a_smuggling_shape_gets_one_answer_and_a_closed_connection(raw):
    """The bytes after an ambiguous request are never read as a second request."""
    with serving(never) as lab:
        answer = talk(lab.port, raw.replace(b"%s", b"/2.0/files/in/a") + PAST)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["errorType"] == "request_syntax"


@pytest.mark.parametrize("chunks", MALFORMED_CHUNKS.values(), ids=MALFORMED_CHUNKS.keys())
def test_a_malformed_chunked_body_gets_exactly_one_answer(chunks):
    """An application that fails over a malformed body is answered with one 400 and a close."""
    head = b"POST /ibmmq/rest/v2/login HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(echo) as lab:
        answer = talk(lab.port, head + chunks + PAST)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"][0]["msgId"] == "MQWB0970E"


def test_a_malformed_chunked_body_that_is_not_read_gets_one_answer():
    """The answer of an application that ignores the body is the only one."""

    def ignoring(environ, start_response):
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return []

    head = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(ignoring) as lab:
        answer = talk(lab.port, head + b"zz\r\n" + PAST)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b" 401 " in answer


@pytest.mark.parametrize(
    ("path", "start", "part"),
    [
        (b"/2.0/files", b"HTTP/1.1 400", b'"result":"failed"'),
        (b"/diplomat/APIRequest", b"HTTP/1.1 400", b'responseType="errorResponse"'),
        (b"/ibmmq/rest/v2/login", b"HTTP/1.1 400", b'"msgId":"MQWB0970E"'),
        (b"/dataprotector", b"HTTP/1.1 400", b"Content-Length: 0"),
        (b"http://h/ibmmq/rest/v2/login", b"HTTP/1.1 400", b'"msgId":"MQWB0970E"'),
        (b"/elsewhere", b"HTTP/1.1 400", b'"error"'),
    ],
)
def test_a_malformed_head_is_answered_in_the_form_of_its_path(path, start, part):
    """The answer to a malformed head has the vendor's form of the path in its request line."""
    with serving(never) as lab:
        answer = talk(lab.port, b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nbad line\r\n\r\n")
    assert answer.startswith(start)
    assert part in answer
    assert b"<html" not in answer.lower()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /2.0/" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", b"414"),
        (b"GET /2.0/" + b"a" * 40_000, b"414"),
        (b"GET /2.0/x HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /2.0/x HTTP/1.1\r\nHost: h\r\n" + b"X: a\r\n" * 200 + b"\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
    ],
    ids=["long line", "long line without end", "large head", "many fields", "TLS on a plain port"],
)
def test_too_large_a_head_is_answered_before_it_is_whole(raw, status):
    """A client need not wait for the time limit to learn that its head is refused."""
    with serving(never) as lab:
        answer = talk(lab.port, raw)
    assert answer.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("extension", [b";a", b";a=b", b' ; a = "b;\\"c"', b';a;b=c;d=""', b";a=b\t;c"])
def test_extensions_of_chunks_are_passed_over(extension):
    """A chunk's extensions are no part of the body."""
    head = b"POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(echo) as lab:
        answer = talk(lab.port, head + b"3" + extension + b"\r\nabc\r\n0" + extension + b"\r\nT: v\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["body"] == "abc"


def test_zeros_before_a_length_do_not_count():
    """The grammar allows them, and the application sees a plain number."""

    def length(environ, start_response):
        body = environ["CONTENT_LENGTH"].encode() + b" " + environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    with serving(length) as lab, connect(lab.port) as sock:
        sock.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 005\r\n\r\nabcde")
        assert read_answer(sock)[1] == b"5 abcde"


def test_bytes_of_a_name_may_come_unescaped():
    """A script that puts a name with an umlaut into a URL as it stands names the same file as one that escapes it."""
    with serving(echo) as lab, connect(lab.port) as sock:
        seen = []
        for path in ("/2.0/files/in/\u00fc.txt".encode(), b"/2.0/files/in/%c3%bc.txt"):
            sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
            seen.append(json.loads(read_answer(sock)[1])["path"])
    assert seen == ["/2.0/files/in/\xc3\xbc.txt"] * 2


def test_an_absolute_target_and_raw_bytes_of_a_path_arrive():
    """The target's host counts, and the path comes decoded and as it was sent."""
    with serving(echo) as lab, connect(lab.port) as sock:
        sock.sendall(b"GET http://dock:81/a%2Fb%ff?c=%20|d HTTP/1.1\r\nHost: other\r\n\r\n")
        seen = json.loads(read_answer(sock)[1])
    assert (seen["path"], seen["raw"], seen["query"], seen["host"]) == ("/a/b\xff", "/a%2Fb%ff", "c=%20|d", "dock:81")


def test_fields_with_an_underscore_do_not_reach_the_application():
    """An environment cannot tell them from fields with a hyphen."""
    with serving(echo) as lab, connect(lab.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nScript_Name: /x\r\nX_Crossdock_Identity: me\r\nX-Real: y\r\n\r\n")
        seen = json.loads(read_answer(sock)[1])
    assert seen["names"] == ["HTTP_HOST", "HTTP_X_REAL"]
    assert seen["path"] == "/"


def test_requests_follow_one_another_on_a_connection():
    """Pipelined requests with bodies of both framings are answered in order."""
    with serving(echo) as lab, connect(lab.port) as sock:
        sock.sendall(
            b"\r\nPOST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
            b"POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2;x=y\r\ntw\r\n1\r\no\r\n0\r\nT: v\r\n\r\n"
            b"GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        text = read_all(sock)
    assert text.count(b"HTTP/1.1 200 OK") == 3
    for part in (b'"body": "one"', b'"body": "two"', b'"path": "/3"', b"Connection: close"):
        assert text.count(part) == 1


def test_an_early_answer_reaches_a_client_that_is_still_sending():
    """The server drains the rest of the body for a while, so that no reset discards the answer."""

    def refusing(environ, start_response):
        start_response("413 Content Too Large", [("Content-Length", "4")])
        return [b"much"]

    with serving(refusing) as lab, connect(lab.port) as sock:
        sock.sendall(b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n" + b"a" * 1000)
        head, body = read_answer(sock)
        assert b" 413 " in head
        assert b"Connection: close" in head
        assert body == b"much"
        # 900 kB are taken without a reset, and then the connection ends.
        sock.sendall(b"a" * 899_000)
        assert read_all(sock) == b""


def test_a_hundred_continue_is_sent_when_the_body_is_wanted():
    """An application that answers without reading the body sends no `100 Continue`."""

    def choosy(environ, start_response):
        if environ["PATH_INFO"] == "/no":
            start_response("403 Forbidden", [("Content-Length", "0")])
            return []
        return echo(environ, start_response)

    request = b"PUT %s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with serving(choosy) as lab:
        refused = talk(lab.port, request % b"/no")
        with connect(lab.port) as sock:
            sock.sendall(request % b"/yes")
            assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(b"ok")
            assert json.loads(read_answer(sock)[1])["body"] == "ok"
    assert refused.startswith(b"HTTP/1.1 403 ")
