"""One client's connection between its requests."""

import ssl

import pytest

from gateway.serving.connection import Connection, Stage
from gateway.serving.limits import ServingLimits


class Script:
    """A socket whose reads have the given results in order; exceptions are raised."""

    def __init__(self, *ends):
        self.ends = list(ends)

    def setblocking(self, flag):
        """Do nothing."""

    def fileno(self):
        """Return a number."""
        return 7

    def shutdown(self, how):
        """Do nothing."""

    def recv(self, size):
        """Return or raise the next result."""
        end = self.ends.pop(0)
        if isinstance(end, bytes):
            return end
        raise end


def connection(*ends):
    """Return a connection over a scripted socket."""
    return Connection(Script(*ends), ("192.0.2.1", 1), {}, ServingLimits(), None, saturated=lambda: False)


@pytest.mark.parametrize("then", [b"GET", BlockingIOError()], ids=["data", "nothing"])
def test_interest_in_writing_ends_with_the_next_read(then):
    """A read that needs no write turns the interest in writing off, which would make events without end."""
    made = connection(ssl.SSLWantWriteError(), then)
    assert not made.read()
    assert made.to_write
    made.read()
    assert not made.to_write


def test_interest_in_writing_ends_with_the_last_request():
    """A connection that lingers before its close waits for bytes to read alone."""
    made = connection(ssl.SSLWantWriteError(), BlockingIOError())
    made.read()
    assert made.begin_linger()
    assert (made.stage, made.to_write) == (Stage.LINGER, False)
