"""Requests that fail late: after the client was too slow, or after the application began to answer."""

import socket
import threading

import pytest

from gateway.pipeline import Pipeline
from gateway.serving.channel import Channel, SlowClientError
from gateway.serving.limits import ServingLimits
from tests.service.gateway.serving_lab import WAIT_S, serving, talk


@pytest.fixture
def pair():
    """Return a server's and a client's end of one connection."""
    here, there = socket.socketpair()
    here.setblocking(False)
    with here, there:
        yield here, there


@pytest.mark.parametrize("saturated", [False, True])
def test_an_answer_to_a_client_that_was_too_slow_has_a_time_limit(pair, saturated):
    """The server gives up a client that sent its body too slowly and does not read the error either."""
    here, _ = pair
    limits = ServingLimits(idle=0.5, rate=1000, rate_window=0.1, saturated_after=0.1)
    channel = Channel(here, limits, lambda: saturated)
    with pytest.raises(SlowClientError):
        channel.receive()
    ended = []

    def answer():
        try:
            channel.send(bytes(8 << 20))
        except SlowClientError as error:
            ended.append(error)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    assert ended
    assert channel.gone


def late(environ, _start_response):
    """Read the body, and fail when the server iterates over the result."""
    assert environ["wsgi.input"].read() == b"abc"

    def blocks():
        raise RuntimeError("secret")
        yield b""

    return blocks()


@pytest.mark.parametrize(
    "body", [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
def test_a_late_failure_is_answered_whatever_the_framing_of_the_body(body):
    """An application that fails after its call returned is answered with 500, also on a route with a body limit."""
    pipeline = Pipeline(own=late, upstreams={}, directory=None, own_body_limit=100)
    with serving(pipeline) as lab:
        answer = talk(lab.port, b"POST /elsewhere HTTP/1.1\r\nHost: h\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in answer
