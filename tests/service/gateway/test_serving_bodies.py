"""Bodies that are cut short, malformed or over their limit: refused in every protocol, whatever an application does."""

import contextlib
import socket

import pytest

from gateway.pipeline import Pipeline
from gateway.routing import with_limits
from mft_common.http1 import RequestBodyError, WsgiUpstream
from tests.service.gateway.serving_lab import connect, read_all, serving, talk

SMALL = b"Content-Length: 100\r\n\r\nabc"
LARGE = b"Content-Length: 1000000\r\n\r\nabc"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"
NO_LAST_CHUNK = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
CUT = {"small": SMALL, "large": LARGE, "within a chunk": CHUNKS, "before the last chunk": NO_LAST_CHUNK}
FORMS = {
    b"/2.0/login": b'"errorType":"request_syntax"',
    b"/diplomat/APIRequest": b"<statusCode>400</statusCode>",
    b"/ibmmq/rest/v2/login": b'"msgId":"MQWB0970E"',
    b"/dataprotector": b"Content-Length: 0",
    b"/elsewhere": b'"error"',
}


def send_cut(port, path, body, method=b"POST"):
    """Send a request whose body ends early, and return everything that comes back."""
    with connect(port) as sock:
        sock.sendall(method + b" " + path + b" HTTP/1.1\r\nHost: h\r\n" + body)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def reading(status, seen):
    """Return an application that answers `status` however the reading of its body ends."""

    def application(environ, start_response):
        for read in (environ["wsgi.input"].read, environ["wsgi.input"].readline):
            try:
                seen.append(read())
            except RequestBodyError as error:
                seen.append(error.status)
        start_response(status, [("Content-Length", "2")])
        return [b"ok"]

    return application


@pytest.mark.parametrize("path", FORMS, ids=bytes.decode)
@pytest.mark.parametrize("body", CUT.values(), ids=CUT)
def test_a_body_that_is_cut_short_is_refused_in_the_form_of_the_path(path, body):
    """The client gets 400 in the vendor's form, though the application answers 200."""
    with serving(reading("200 OK", [])) as lab:
        answer = send_cut(lab.port, path, body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert FORMS[path] in answer
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_a_call_is_not_begun_with_a_part_of_a_small_body():
    """A call that does not read its body is not carried out either."""
    calls = []

    def logout(environ, start_response):
        calls.append(environ["PATH_INFO"])
        start_response("204 No Content", [])
        return []

    with serving(logout) as lab:
        assert send_cut(lab.port, b"/2.0/logout", SMALL).startswith(b"HTTP/1.1 400 ")
        assert calls == []
        assert b" 204 " in talk(lab.port, b"POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + SMALL + b"x" * 97)
        assert calls == ["/a"]


@pytest.mark.parametrize("body", [LARGE, CHUNKS, NO_LAST_CHUNK])
@pytest.mark.parametrize("status", ["200 OK", "302 Found", "400 Bad", "404 Not Found", "500 Error"])
def test_a_response_that_was_made_from_a_part_of_the_body_is_replaced(body, status):
    """A 400 of the application stands, because it knows the vendor's words best; each other response becomes 400."""
    seen = []
    with serving(reading(status, seen)) as lab:
        answer = send_cut(lab.port, b"/2.0/files/in/a", body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\nok") is (status == "400 Bad")
    assert 400 in seen
    assert b"abc" not in seen


def test_a_patch_gets_the_part_of_a_small_body():
    """A resumable upload keeps the bytes that arrived before a cut, however few they are."""
    partial = []

    def application(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except RequestBodyError as error:
            partial.append(error.partial)
        start_response("204 No Content", [])
        return []

    with serving(application) as lab:
        assert send_cut(lab.port, b"/2.0/uploads/x", SMALL, b"PATCH").startswith(b"HTTP/1.1 400 ")
    assert partial == [b"abc"]


@pytest.mark.parametrize("body", [LARGE, NO_LAST_CHUNK])
@pytest.mark.parametrize("size", [-1, 50_000])
def test_the_bytes_before_a_cut_come_with_the_error(body, size):
    """The failed read loses none of the bytes that it has received."""
    partial = []

    def application(environ, start_response):
        try:
            environ["wsgi.input"].read(size)
        except RequestBodyError as error:
            partial.append(error.partial)
        start_response("400 Bad Request", [("Content-Length", "0")])
        return []

    with serving(application) as lab:
        assert send_cut(lab.port, b"/elsewhere", body).startswith(b"HTTP/1.1 400 ")
    assert partial == [b"abc"]


@pytest.mark.parametrize("size", [100, 2000, 300_000])
@pytest.mark.parametrize("swallow", [False, True])
@pytest.mark.parametrize(
    ("path", "start"),
    [
        (b"/dataprotector", b"HTTP/1.1 413"),
        (b"/elsewhere", b"HTTP/1.1 413"),
    ],
)
def test_a_body_in_chunks_is_stopped_at_the_limit_of_its_route(size, swallow, path, start):
    """No byte past the limit reaches the application, and the client gets 413 whatever the application answers."""
    seen, limit = [], 50_000

    def application(environ, start_response):
        with contextlib.suppress(RequestBodyError) if swallow else contextlib.nullcontext():
            while block := environ["wsgi.input"].read1(999):
                seen.append(len(block))
        start_response("200 OK", [("Content-Length", "0")])
        return []

    upstream = WsgiUpstream(application)
    pipeline = Pipeline(
        own=application,
        upstreams={"sertainty-svc": upstream},
        directory=None,
        routes=with_limits({"sertainty-svc": limit}),
        own_body_limit=limit,
    )
    head = b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (each, b"a" * each) for each in [size // 10] * 10)
    with serving(pipeline) as lab:
        answer = talk(lab.port, head + chunks + b"0\r\n\r\n")
    assert answer.startswith(start if size > limit else b"HTTP/1.1 200")
    assert sum(seen) <= limit
