import socket

import pytest

from gateway.serving.poller import SelectorPoller, create_poller


@pytest.fixture(params=[create_poller, SelectorPoller])
def poller(request):
    """Return each kind of poller."""
    made = request.param()
    yield made
    made.close()


def test_an_event_is_reported_once_until_the_descriptor_is_rearmed(poller):
    """A descriptor makes no second event before `rearm`, so that one thread owns it."""
    here, there = socket.socketpair()
    with here, there:
        poller.add(here.fileno())
        assert poller.wait(0.01) is None
        there.send(b"x")
        assert poller.wait(60) == here.fileno()
        assert poller.wait(0.01) is None
        poller.rearm(here.fileno())
        assert poller.wait(60) == here.fileno()
        poller.rearm(here.fileno(), writing=True)
        assert poller.wait(60) == here.fileno()
