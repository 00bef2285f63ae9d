"""Requests that fail late: after the client was too slow, or after the application began to answer."""

import socket
import threading

import pytest

from gateway.serving.channel import Channel, SlowClientError
from gateway.serving.limits import ServingLimits
from tests.service.gateway.serving_lab import WAIT_S


@pytest.fixture
def pair():
    """Return a server's and a client's end of one connection."""
    here, there = socket.socketpair()
    here.setblocking(False)
    with here, there:
        yield here, there


@pytest.mark.parametrize("saturated", [False, True])
def test_an_answer_to_a_client_that_was_too_slow_has_a_time_limit(pair, saturated):
    """A client that was given up while it sent its body, and does not read the answer either, is given up again."""
    here, _ = pair
    limits = ServingLimits(idle=0.5, rate=1000, rate_window=0.1, crowded_after=0.1)
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
