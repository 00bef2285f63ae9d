"""One client's connection between its requests."""

import ssl

import pytest

from gateway.serving.connection import Connection, Stage
from gateway.serving.limits import ServingLimits


class Script:
    """A socket whose reads end one after another as told: an exception is raised, bytes are returned."""

    def __init__(self, *ends):
        self.ends = list(ends)

    def setblocking(self, flag):
        """Take note of nothing."""

    def fileno(self):
        """Return a number."""
        return 7

    def shutdown(self, how):
        """Take note of nothing."""

    def recv(self, size):
        """End as told."""
        end = self.ends.pop(0)
        if isinstance(end, bytes):
            return end
        raise end


def connection(*ends):
    """Return a connection over a scripted socket."""
    return Connection(Script(*ends), ("192.0.2.1", 1), {}, ServingLimits(), None, saturated=lambda: False)


@pytest.mark.parametrize("then", [b"GET", BlockingIOError()], ids=["data", "nothing"])
def test_interest_in_writing_ends_with_the_next_read(then):
    """A TLS read that had to write first does not leave the connection waiting for room, of which there always is."""
    made = connection(ssl.SSLWantWriteError(), then)
    assert not made.read()
    assert made.to_write
    made.read()
    assert not made.to_write


def test_interest_in_writing_ends_with_the_last_request():
    """A connection that is only read empty before it is closed waits for nothing but what still comes in."""
    made = connection(ssl.SSLWantWriteError(), BlockingIOError())
    made.read()
    assert made.begin_linger()
    assert (made.stage, made.to_write) == (Stage.LINGER, False)
