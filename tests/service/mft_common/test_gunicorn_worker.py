"""A service alone behind its own gunicorn."""

import os
import socket
import sys
from pathlib import Path

import pytest
import requests

from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program

SERVICE = """
from flask import Flask, request
from mft_common import web

app = Flask("service")
done = []

@app.post("/call")
def call():
    done.append(len(b"".join(web.large_reads(request.stream))))
    return "carried out"

@app.get("/done")
def calls():
    return done
"""
CUT = {
    "a length": b"Content-Length: 100\r\n\r\nabc",
    "a large length": b"Content-Length: 1000000\r\n\r\n" + b"a" * 100_000,
    "within a chunk": b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "before the last chunk": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
}


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """Run the service; return its port."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "small_service.py").write_text(SERVICE)
    port = free_port()
    environ = {
        **os.environ,
        "MFT_LISTEN": f"127.0.0.1:{port}",
        "MFT_WEB_PROCESSES": "1",
        "MFT_WEB_THREADS": "2",
        "PYTHONPATH": str(folder),
    }
    gunicorn = Path(sys.executable).parent / "gunicorn"
    command = [gunicorn, "-c", "python:mft_common.process.gunicorn_conf", "small_service:app"]
    program = Program(command, folder / "server.log", env=environ)
    program.start()

    def answers():
        assert program.running(), program.tail()
        try:
            return done(port) is not None
        except requests.ConnectionError:
            return False

    try:
        wait_until(answers, within=30, what="the service")
        yield port
        assert "Traceback" not in program.log.read_text()
    finally:
        program.stop()


def done(port):
    """Return the lengths of the bodies of the calls that were carried out."""
    return requests.get(f"http://127.0.0.1:{port}/done", timeout=10).json()


def test_a_whole_body_is_carried_out(port):
    """Bodies of both framings arrive, on one connection."""
    before = done(port)
    with requests.Session() as session:
        for body in (b"a" * 100_000, iter([b"a" * 70_000, b"b"])):
            assert session.post(f"http://127.0.0.1:{port}/call", data=body, timeout=10).text == "carried out"
    assert done(port) == [*before, 100_000, 70_001]


@pytest.mark.parametrize("body", CUT.values(), ids=CUT)
def test_a_body_that_is_cut_short_is_refused(port, body):
    """The call is not carried out, and the client is told that its request was bad."""
    before = done(port)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(b"POST /call HTTP/1.1\r\nHost: h\r\n" + body)
        sock.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert done(port) == before
