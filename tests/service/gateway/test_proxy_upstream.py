"""Requests to a service at a URL, and its responses."""

import socket
from pathlib import Path

import pytest

from mft_common.identity import Identity
from mft_common.identity_reader import IdentityReader
from tests.service.gateway.proxy_lab import GET, OK, SIGNER, pipeline_to, proxied
from tests.service.gateway.serving_lab import (
    connect,
    raw_service,
    read_answer,
    read_head,
    talk,
)


def test_a_request_and_its_answer_pass_unchanged():
    """Method, target, host, fields and body arrive as sent, hop-by-hop fields do not, and the identity is signed."""
    seen = {}

    def service(environ, start_response):
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("201 Made it", [("X-Service", "yes"), ("Content-Length", "4"), ("X-Request-ID", "other")])
        return [b"body"]

    with proxied(service) as lab, connect(lab.port) as sock:
        sock.sendall(
            b"PUT /2.0/files/a%2Fb?x=|%20 HTTP/1.1\r\nHost: dock:8\r\nX-A: \xe9\r\nConnection: keep-alive, X-Hop\r\n"
            b"X-Hop: 1\r\nTE: trailers\r\nX-Crossdock-Identity: forged\r\n"
            b"Content-Type: text/x\r\nContent-Length: 3\r\n\r\nabc"
        )
        head, body = read_answer(sock)
    assert head.startswith(b"HTTP/1.1 201 Made it\r\n")
    assert b"X-Service: yes" in head
    assert head.lower().count(b"x-request-id") == 1
    assert body == b"body"
    assert (seen["RAW_URI"], seen["HTTP_HOST"], seen["body"]) == ("/2.0/files/a%2Fb?x=|%20", "dock:8", b"abc")
    assert (seen["HTTP_X_A"], seen["CONTENT_TYPE"], seen["CONTENT_LENGTH"]) == ("\xe9", "text/x", "3")
    assert not {"HTTP_X_HOP", "HTTP_TE"} & set(seen)
    identity = IdentityReader("filestore-svc", SIGNER).read(seen)
    assert isinstance(identity, Identity)
    assert (identity.reason, identity.address, identity.base_url) == ("absent", "127.0.0.1", "http://dock:8")
    assert seen["HTTP_X_REQUEST_ID"] == identity.request_id


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_both_framings_go_both_ways(size, chunked):
    """A body comes back as it went, in chunks or with a length."""

    def service(environ, start_response):
        body = environ["wsgi.input"].read()
        start_response("200 OK", [] if chunked else [("Content-Length", str(len(body)))])
        return iter([body[:10], body[10:]])

    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    sent = (b"%x\r\n%b\r\n" % (size, data) if size else b"") + b"0\r\n\r\n" if chunked else data
    with proxied(service) as lab:
        answer = talk(
            lab.port, b"PUT /2.0/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + framing + b"\r\n\r\n" + sent
        )
    body = answer.partition(b"\r\n\r\n")[2]
    if chunked:
        whole = b""
        while (line := body.partition(b"\r\n"))[0] not in (b"0", b""):
            count = int(line[0], 16)
            whole += line[2][:count]
            body = line[2][count + 2 :]
        body = whole
    assert body == data


def test_a_service_that_is_away_is_a_503_in_the_callers_form():
    """The form is the protocol's, and Retry-After says when to come again."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pipeline_to(port) as lab:
        answer = talk(lab.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in answer
    assert b'"message":"Temporarily unavailable","errorType":"io"' in answer


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
        b"HTTP/1.1 101 Switching\r\n\r\n",
    ],
    ids=["nothing", "half a head", "no HTTP", "bad length", "two framings", "a huge head", "another protocol"],
)
def test_an_answer_that_is_none_is_a_503(answer):
    """A response that is malformed is not forwarded."""

    def script(sock, number):
        read_head(sock)
        sock.sendall(answer)

    with raw_service(script) as port, pipeline_to(port) as lab:
        assert talk(lab.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n",
    ],
    ids=["short of its length", "chunks without an end", "a malformed chunk"],
)
def test_an_answer_that_breaks_off_is_cut_for_the_client_too(answer):
    """The client's connection is reset, or its chunks have no end, so that the response is seen to be incomplete."""

    def script(sock, number):
        read_head(sock)
        sock.sendall(answer)

    with raw_service(script) as port, pipeline_to(port) as lab:
        got = talk(lab.port, GET)
    assert not got.endswith(b"0\r\n\r\n")
    assert b"Content-Length: 3" not in got
    assert got.count(b"HTTP/1.1") <= 1


def test_an_answer_without_a_length_ends_with_the_services_connection():
    """The response of an HTTP/1.0 service is forwarded in chunks, complete."""

    def script(sock, number):
        read_head(sock)
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\nto the end")

    with raw_service(script) as port, pipeline_to(port) as lab:
        got = talk(lab.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert got.endswith(b"to the end\r\n0\r\n\r\n")


def test_interim_answers_are_passed_over():
    """A 103 of the service is dropped, and the final response is forwarded."""

    def script(sock, number):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)

    with raw_service(script) as port, pipeline_to(port) as lab, connect(lab.port) as sock:
        sock.sendall(GET)
        assert read_answer(sock)[1] == b"ok"


@pytest.mark.parametrize("upload", [True, False], ids=["up", "down"])
def test_memory_stays_flat_for_a_large_body(upload):
    """A body of 200 MB grows the process by less than 20 MB."""
    size, block = 200_000_000, bytes(1 << 20)

    def service(environ, start_response):
        taken = 0
        while part := environ["wsgi.input"].read(1 << 20):
            taken += len(part)
        if upload:
            start_response("200 OK", [("Content-Length", str(len(str(taken))))])
            return [str(taken).encode()]
        start_response("200 OK", [("Content-Length", str(size))])
        return (block[: min(len(block), size - at)] for at in range(0, size, len(block)))

    with proxied(service) as lab, connect(lab.port) as sock:
        sock.sendall(GET.replace(b"/x", b"/warm") if upload else b"")
        if upload:
            read_answer(sock)
        before = _peak()
        if upload:
            sock.sendall(b"PUT /2.0/x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
            for at in range(0, size, len(block)):
                sock.sendall(memoryview(block)[: min(len(block), size - at)])
            assert read_answer(sock)[1] == str(size).encode()
        else:
            sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            got = 0
            while part := sock.recv(1 << 18):
                got += len(part)
            assert got > size
        assert _peak(reset=False) - before < 20_000


def _peak(*, reset=True):
    """Return the process's peak memory in kB, since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0])
