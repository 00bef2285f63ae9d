"""A WSGI application on a Unix socket, called over HTTP."""

import os
import socket
import stat
import threading

import pytest

from mft_common.process.unix_server import UnixServer
from mft_common.unix_sockets import UnixConnection, address_of
from tests.servers.processes import wait_until


def application(environ, start_response):
    """Answer with the length of the body, or refuse before reading it."""
    if environ["PATH_INFO"] == "/refused":
        start_response("413 Content Too Large", [("Content-Length", "2")])
        return [b"no"]
    size = 0
    while block := environ["wsgi.input"].read(1 << 20):
        size += len(block)
    body = str(size).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def ask(path, method, target, body=None):
    """Send a request; return status and text of the answer."""
    connection = UnixConnection(path, timeout=20)
    try:
        connection.request(method, target, body=body, encode_chunked=not isinstance(body, bytes | None))
        with connection.getresponse() as answer:
            return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture(params=["short", "longer-than-an-address" * 5])
def path(request, tmp_path):
    """A path of a few bytes, and one that no address holds."""
    return tmp_path / request.param / "internal.sock"


def test_bodies_of_any_size_pass_and_an_early_refusal_is_answered(path):
    """No body, 5 MiB, chunks, and a body that the application does not read: each gets its answer."""
    server = UnixServer(path, application).start()
    assert ask(path, "GET", "/x") == (200, "0")
    assert ask(path, "PUT", "/x", bytes(5 << 20)) == (200, str(5 << 20))
    assert ask(path, "PUT", "/x", iter([b"abc", b"de"])) == (200, "5")
    assert ask(path, "PUT", "/refused", bytes(5 << 20)) == (413, "no")
    server.close()
    assert not path.exists()


def test_only_the_hubs_user_may_connect_and_a_dead_servers_socket_is_replaced(path):
    """The socket has mode 0600, and one that a kill -9 left behind is no obstacle."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        folder = os.open(path.parent, os.O_PATH)
        dead.bind(f"/proc/self/fd/{folder}/internal.sock")
        os.close(folder)
    server = UnixServer(path, application).start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ask(path, "GET", "/x") == (200, "0")
    server.close()


def test_many_clients_are_served_at_once(path):
    """Thirty requests at the same time, each of which waits for all the others."""
    together = threading.Barrier(30, timeout=20)

    def waiting(environ, start_response):
        together.wait()
        return application(environ, start_response)

    server, answers = UnixServer(path, waiting).start(), []

    threads = [threading.Thread(target=lambda: answers.append(ask(path, "GET", "/x"))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.close()
    assert answers == [(200, "0")] * 30


def test_a_socket_without_a_server_is_an_error_of_the_system(path):
    """No server listens there: connecting raises OSError."""
    with pytest.raises(OSError, match="No such file"):
        ask(path, "GET", "/x")


def test_a_server_that_closes_leaves_the_socket_of_its_successor(path):
    """A successor that has replaced the socket is reachable after the former server has closed."""
    former = UnixServer(path, application).start()
    successor = UnixServer(path, application).start()
    former.close()
    assert ask(path, "PUT", "/x", b"abc") == (200, "3")
    successor.close()
    assert not path.exists()


def test_a_client_that_dies_amid_its_body_writes_nothing_into_the_log(path, capfd):
    """Its process was killed: no traceback on the hub's own output, and the next client is answered."""

    def lazy(_environ, start_response):
        start_response("413 Content Too Large", [("Content-Length", "2")])
        return [b"no"]

    server = UnixServer(path, lazy).start()
    threads = threading.active_count()
    with address_of(path) as address, socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        client.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf")
        assert client.recv(12) == b"HTTP/1.1 413"
    assert ask(path, "GET", "/x") == (413, "no")
    wait_until(lambda: threading.active_count() <= threads, what="the end of the client's thread")
    server.close()
    assert capfd.readouterr().err == ""
