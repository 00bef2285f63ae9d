import contextlib
import threading

import pytest

from tests.service.gateway.serving_lab import connect, read_all, read_answer, serving, talk

SLOW = b"PUT /2.0/files/in/a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx"
QUICK = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def read_to_the_end(environ, start_response):
    """Read the whole body, and answer with its length."""
    length = str(len(environ["wsgi.input"].read()))
    start_response("200 OK", [("Content-Length", str(len(length)))])
    return [length.encode()]


@pytest.mark.parametrize("dribble", [False, True])
def test_slow_bodies_cannot_keep_every_thread(dribble):
    """When slow clients hold every thread, they are given up for others, also while they send a byte now and then."""
    stop = threading.Event()
    limits = {"threads": 8, "saturated_after": 0.3}
    with serving(read_to_the_end, **limits) as lab, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(lab.port)) for _ in range(24)]

        def keep_dribbling():
            while not stop.wait(0.05):
                for sock in slow:
                    with contextlib.suppress(OSError):
                        sock.sendall(b"x")

        for sock in slow:
            sock.sendall(SLOW)
        thread = threading.Thread(target=keep_dribbling)
        if dribble:
            thread.start()
        try:
            assert b"200 OK" in talk(lab.port, QUICK)
        finally:
            stop.set()
            if dribble:
                thread.join()


def test_a_slow_body_is_left_alone_while_there_is_room():
    """A slow client is not given up as long as a thread is free."""
    with serving(read_to_the_end, threads=8, saturated_after=0.01) as lab, connect(lab.port) as sock:
        sock.sendall(SLOW)
        for _ in range(30):
            assert b"200 OK" in talk(lab.port, QUICK)
        sock.sendall(b"x" * 99)
        assert read_answer(sock)[1] == b"100"


def test_a_slow_client_that_is_given_up_gets_an_answer():
    """The slow client gets an answer before its connection is closed."""
    with serving(read_to_the_end, threads=1, saturated_after=0.1) as lab, connect(lab.port) as sock:
        sock.sendall(SLOW)
        answer = talk(lab.port, QUICK)
        assert b"200 OK" in answer
        assert read_all(sock)
