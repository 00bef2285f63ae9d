"""A WSGI application on a Unix socket, called by `requests`."""

import os
import socket
import stat
import threading

import pytest
import requests

from mft_common.http1.unix_adapter import UnixAdapter
from mft_common.process.unix_server import UnixServer


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


def session_to(path):
    session = requests.Session()
    session.trust_env = False
    session.mount("http://hub", UnixAdapter(path))
    return session


@pytest.fixture(params=["short", "longer-than-an-address" * 5])
def path(request, tmp_path):
    """A path of a few bytes, and one that no address holds."""
    return tmp_path / request.param / "internal.sock"


def test_bodies_of_any_size_pass_and_an_early_refusal_is_answered(path):
    """Nothing, 5 MiB, chunks, and a body that the application does not read: each gets its answer."""
    server = UnixServer(path, application).start()
    with session_to(path) as session:
        assert session.get("http://hub/x").text == "0"
        assert session.put("http://hub/x", data=bytes(5 << 20)).text == str(5 << 20)
        assert session.put("http://hub/x", data=iter([b"abc", b"de"])).text == "5"
        refused = session.put("http://hub/refused", data=bytes(5 << 20))
        assert (refused.status_code, refused.text) == (413, "no")
        with session.put("http://hub/x", data=b"1") as streamed:
            assert streamed.raw.version in (10, 11)
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
    with session_to(path) as session:
        assert session.get("http://hub/x").status_code == 200
    server.close()


def test_many_clients_are_served_at_once(path):
    """Thirty requests at the same time, each of which waits for all the others."""
    together = threading.Barrier(30, timeout=20)

    def waiting(environ, start_response):
        together.wait()
        return application(environ, start_response)

    server, answers = UnixServer(path, waiting).start(), []

    def ask():
        with session_to(path) as session:
            answers.append(session.get("http://hub/x").status_code)

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.close()
    assert answers == [200] * 30


def test_a_socket_without_a_server_is_a_connection_error(path):
    """Nothing listens there: the error is the one that every caller of `requests` expects."""
    with session_to(path) as session, pytest.raises(requests.ConnectionError):
        session.get("http://hub/x")
