"""Connections to a service: kept alive, replaced, answered early, cut."""

import contextlib
import threading

import pytest

from mft_common.http1 import UpstreamUnavailable, UrlUpstream
from tests.servers.stopwatch import Stopwatch
from tests.service.gateway.proxy_lab import GET, OK, pipeline_to
from tests.service.gateway.serving_lab import (
    connect,
    raw_service,
    read_all,
    read_answer,
    read_head,
    talk,
    until,
)


@pytest.mark.parametrize("framing", [b"Content-Length: 900000", b"Transfer-Encoding: chunked"])
def test_a_client_that_vanishes_leaves_the_service_a_broken_body(framing):
    """The service sees the connection end before the body does."""
    seen = []

    def script(sock, number):
        seen.append(read_head(sock) + read_all(sock))

    with raw_service(script) as port, pipeline_to(port) as lab:
        with connect(lab.port) as sock:
            sock.sendall(b"PUT /2.0/x HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n\r\n3e8\r\n" + b"a" * 1000 + b"\r\n")
        until(lambda: seen, "the service saw the end")
    assert b"aaa" in seen[0]
    assert not seen[0].endswith(b"0\r\n\r\n")
    assert len(seen[0]) < 10_000


@pytest.mark.parametrize("framing", [b"Content-Length: 50000000", b"Transfer-Encoding: chunked"])
def test_an_answer_before_the_end_of_the_body_reaches_the_client(framing):
    """The response of a service that does not read the body reaches a client that has sent none of it."""

    def script(sock, number):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        # The service neither reads on nor closes: to go on sending would block for ever.
        read_all(sock)

    with raw_service(script) as port, pipeline_to(port) as lab, connect(lab.port) as sock:
        sock.sendall(b"PUT /2.0/x HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n\r\n")
        # The client has sent no byte of its body yet, and need not.
        head, body = read_answer(sock)
    assert head.startswith(b"HTTP/1.1 401 ")
    assert body == b"no"


def test_an_early_answer_stops_an_upload_under_way():
    """No more of a large body is sent to a service that has answered."""
    taken = []

    def script(sock, number):
        taken.append(len(read_head(sock)))
        taken.extend(len(sock.recv(1 << 16)) for _ in range(20))
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        read_all(sock)

    def upload(sock):
        with contextlib.suppress(OSError):
            sock.sendall(b"PUT /2.0/x HTTP/1.1\r\nHost: h\r\nContent-Length: 300000000\r\n\r\n")
            for _ in range(300):
                sock.sendall(bytes(1_000_000))

    with raw_service(script) as port, pipeline_to(port) as lab, connect(lab.port) as sock:
        sender = threading.Thread(target=upload, args=(sock,))
        sender.start()
        head, _ = read_answer(sock)
        sender.join(60)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert sum(taken) < 100_000_000


def test_the_service_decides_about_an_expected_hundred():
    """A refusal of the service needs no body, and its `100 Continue` reaches the client."""

    def script(sock, number):
        head = read_head(sock)
        assert b"Expect: 100-continue" in head
        if b"/no" in head:
            sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            return
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert sock.recv(10) == b"body"
        sock.sendall(OK)

    request = b"PUT /2.0%s HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with raw_service(script) as port, pipeline_to(port) as lab:
        assert talk(lab.port, request % b"/no").startswith(b"HTTP/1.1 403 ")
        with connect(lab.port) as sock:
            sock.sendall(request % b"/yes")
            assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(b"body")
            assert read_answer(sock)[1] == b"ok"


def test_a_refusal_right_behind_the_hundred_reaches_the_client():
    """A service's gunicorn sends `100 Continue` before the service is asked, so both may arrive at once."""

    def script(sock, number):
        read_head(sock)
        sock.sendall(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
        )

    request = b"PUT /2.0/x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with raw_service(script) as port, pipeline_to(port) as lab:
        answer = talk(lab.port, request)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"\r\n\r\nno")


def test_a_kept_connection_is_used_again():
    """Requests in turn share one connection to the service."""
    numbers = []

    def script(sock, number):
        while read_head(sock):
            numbers.append(number)
            sock.sendall(OK)

    with raw_service(script) as port, pipeline_to(port) as lab, connect(lab.port) as sock:
        for _ in range(3):
            sock.sendall(GET)
            assert read_answer(sock)[1] == b"ok"
    assert numbers == [0, 0, 0]


def test_a_connection_that_the_service_closed_is_replaced():
    """A request with a body succeeds though the service has closed the idle connection."""
    ends = threading.Event()

    def script(sock, number):
        head = read_head(sock)
        while b"\r\n\r\n" not in head or (b"POST" in head and not head.endswith(b"abc")):
            head += sock.recv(1000)
        sock.sendall(OK)
        if number == 0:
            sock.close()
            ends.set()

    with raw_service(script) as port, pipeline_to(port) as lab, connect(lab.port) as sock:
        sock.sendall(GET)
        assert read_answer(sock)[1] == b"ok"
        assert ends.wait(60)
        sock.sendall(b"POST /2.0/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        assert read_answer(sock)[1] == b"ok"


@pytest.mark.parametrize(("method", "status"), [(b"GET", b"200"), (b"POST", b"503")])
def test_a_kept_connection_that_fails_at_use_is_tried_once_more(method, status):
    """Only an idempotent request is sent again, and only after a kept-alive connection failed."""
    served = []

    def script(sock, number):
        read_head(sock)
        sock.sendall(OK)
        if number == 0:
            # Take the second request and hang up without a word.
            served.append(read_head(sock))
            return
        read_head(sock)

    with raw_service(script) as port, pipeline_to(port) as lab, connect(lab.port) as sock:
        sock.sendall(GET)
        assert read_answer(sock)[1] == b"ok"
        sock.sendall(GET.replace(b"GET", method))
        assert read_answer(sock)[0].startswith(b"HTTP/1.1 " + status)
    assert len(served) == 1


def test_a_silent_service_is_given_up():
    """The idle limit holds for the head of the answer."""

    def script(sock, number):
        read_head(sock)
        read_all(sock)

    with raw_service(script) as port:
        upstream = UrlUpstream(f"http://127.0.0.1:{port}", idle_timeout=0.2)  # keeps no connection that failed
        since = Stopwatch()
        with pytest.raises(UpstreamUnavailable):
            upstream.call({"REQUEST_METHOD": "GET", "PATH_INFO": "/x", "QUERY_STRING": ""}, lambda *_: None)
    assert since.seconds < 5
