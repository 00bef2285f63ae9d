import socket

import pytest

from gateway.serving.poller import SelectorPoller, create_poller


@pytest.fixture(params=[create_poller, SelectorPoller])
def poller(request):
    """Return each kind of poller."""
    made = request.param()
    yield made
    made.close()


def test_an_event_is_told_once_until_asked_for_again(poller):
    """A descriptor rests after its event, so that one thread has it to itself."""
    here, there = socket.socketpair()
    with here, there:
        poller.add(here.fileno())
        assert poller.wait(0.01) is None
        there.send(b"x")
        assert poller.wait(5) == here.fileno()
        assert poller.wait(0.01) is None
        poller.rearm(here.fileno())
        assert poller.wait(5) == here.fileno()
        poller.rearm(here.fileno(), writing=True)
        assert poller.wait(5) == here.fileno()
