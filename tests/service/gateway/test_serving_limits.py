"""Limits of time, rate and number that the server sets its clients."""

import contextlib
import threading

import pytest

from tests.servers.stopwatch import Stopwatch
from tests.service.gateway.serving_lab import connect, read_all, read_answer, serving, talk


def echo(environ, start_response):
    """Answer with the body."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def test_three_hundred_slow_clients_do_not_hold_up_the_others():
    """A client that sends its head slowly costs a buffer and no thread."""
    with serving(echo, threads=4) as lab, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(lab.port)) for _ in range(300)]
        for sock in slow:
            sock.sendall(b"GET /slow HTTP/1.1\r\nHost: h\r\nX-")
        since = Stopwatch()
        for _ in range(20):
            assert b"200 OK" in talk(lab.port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert since.seconds < 5
        slow[7].sendall(b"A: b\r\n\r\n")
        assert b"200 OK" in read_answer(slow[7])[0]


def test_slow_bodies_do_not_hold_up_the_others():
    """Sixty stalled uploads get a thread each, and another request gets one too."""
    with serving(echo) as lab, contextlib.ExitStack() as stack:
        for _ in range(60):
            sock = stack.enter_context(connect(lab.port))
            sock.sendall(b"PUT /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx")
        assert b"200 OK" in talk(lab.port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")


def test_a_head_that_takes_too_long_is_dropped():
    """The time runs from the first byte, however many follow."""
    with serving(echo, head_time=0.3) as lab, connect(lab.port) as sock:
        sock.sendall(b"GET / HT")
        assert read_all(sock) == b""


def test_a_connection_that_stays_idle_is_dropped():
    """A kept-alive connection is closed after `keepalive` seconds without a request."""
    with serving(echo, keepalive=0.3) as lab, connect(lab.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200 OK" in read_answer(sock)[0]
        assert read_all(sock) == b""


@pytest.mark.parametrize(
    "limits", [{"idle": 0.3}, {"idle": 60, "rate": 1000, "rate_window": 0.3}], ids=["idle", "rate"]
)
def test_a_body_that_stalls_is_given_up(limits):
    """A pause of `idle` ends a body, and so does a rate below the least one."""
    with serving(echo, **limits) as lab, connect(lab.port) as sock:
        sock.sendall(b"PUT /2.0/files/in/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        assert read_all(sock).startswith(b"HTTP/1.1 400")


def test_a_reader_that_stalls_is_cut():
    """The thread of a client that does not read its answer is freed after `idle` seconds."""
    ended = threading.Event()

    def endless(environ, start_response):
        start_response("200 OK", [("Content-Length", str(1 << 30))])
        try:
            for _ in range(1 << 10):
                yield bytes(1 << 20)
        finally:
            ended.set()

    with serving(endless, idle=0.3) as lab, connect(lab.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert ended.wait(60)


def test_a_full_server_closes_idle_connections():
    """At the limit of connections, the server closes the one that was idle for longest."""
    with serving(echo, connections=4) as lab, contextlib.ExitStack() as stack:
        for _ in range(4):
            sock = stack.enter_context(connect(lab.port))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            read_answer(sock)
        assert b"200 OK" in talk(lab.port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
