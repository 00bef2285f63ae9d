"""Listeners that pause when the process is full or an accept fails, and that are closed while they pause."""

import contextlib
import ssl

import pytest

from tests.service.gateway.serving_lab import connect, read_all, read_answer, serving, talk, until

HELD = b"PUT /held HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"
QUICK = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def read_to_the_end(environ, start_response):
    """Answer once the body is there."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def test_a_paused_listener_that_is_closed_is_never_watched_again():
    """A drain that begins while the server is full runs to its end, and the request in progress gets its answer."""
    with serving(read_to_the_end, connections=1) as lab, connect(lab.port) as held:
        held.sendall(HELD)
        with connect(lab.port) as waiting:
            until(lambda: lab.connection_manager.paused, "the listener pauses")
            lab.connection_manager.stop_accepting()
            held.sendall(b"x")
            assert read_answer(held)[1] == b"x"
            until(lambda: not lab.connection_manager.close_idle(0.0), "every connection is closed")
            lab.connection_manager.tick()
            assert read_all(waiting) == b""


def test_a_paused_listener_goes_on_once_there_is_room():
    """A client that waited in the listener's queue is answered after another one has left."""
    with serving(read_to_the_end, connections=1) as lab, connect(lab.port) as held:
        held.sendall(HELD)
        with connect(lab.port) as waiting:
            until(lambda: lab.connection_manager.paused, "the listener pauses")
            held.sendall(b"x")
            read_answer(held)
            held.close()
            waiting.sendall(QUICK)
            assert b"200 OK" in read_all(waiting)


class RefusingOnce(ssl.SSLContext):
    """A TLS context that fails for its first client, as one that is out of memory does."""

    failed = False

    def wrap_socket(self, *_args, **_options):
        """Fail the first time, and refuse like a broken handshake from then on."""
        if not self.failed:
            self.failed = True
            raise MemoryError("no room for another connection")
        raise OSError("no handshake")


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_listener_survives_a_client_that_cannot_be_taken_in(rounds):
    """The next clients are accepted after any exception of an accept."""
    context = RefusingOnce(ssl.PROTOCOL_TLS_SERVER)
    with serving(read_to_the_end, tls=context) as lab:
        assert talk(lab.port, QUICK) == b""
        assert context.failed
        for _ in range(rounds):
            with connect(lab.port) as sock, contextlib.suppress(ConnectionError):
                assert sock.recv(1) == b""
