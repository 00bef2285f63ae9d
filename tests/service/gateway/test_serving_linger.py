"""Clients that go on sending a body after the request was rejected."""

import select

import pytest

from tests.service.gateway.serving_lab import connect, read_all, serving

HEAD = b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000000\r\n\r\n"


def refusing(_environ, start_response):
    start_response("413 Content Too Large", [("Content-Length", "4")])
    return [b"much"]


def send_until_it_waits(sock):
    """Send as fast as the other side takes it, for as long as it takes anything; return how many bytes that was."""
    sock.setblocking(False)
    sent = 0
    while select.select([], [sock], [], 1)[1]:
        sent += sock.send(b"a" * 65536)
    return sent


@pytest.mark.parametrize("size", [0, 64 << 10])
def test_a_client_that_sends_faster_than_it_reads_gets_its_answer(size):
    """After `linger_size` bytes the server stops reading: the client's sending stalls, and it reads the answer."""
    with serving(refusing, linger=30.0, linger_size=size) as lab, connect(lab.port) as sock:
        sock.sendall(HEAD)
        assert send_until_it_waits(sock) > size
        sock.setblocking(True)
        assert b" 413 " in sock.recv(65536)


def test_a_client_that_never_looks_is_left_after_a_while():
    """The connection is closed after `linger` seconds, though the client still sends."""
    with serving(refusing, linger=0.1, linger_size=1000) as lab, connect(lab.port) as sock:
        sock.sendall(HEAD)
        assert b" 413 " in read_all(sock)
        with pytest.raises(ConnectionError):
            sock.sendall(b"a" * (64 << 20))
