import datetime as dt
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.processes import free_port
from tests.service.gateway.serving_lab import WAIT_S, connect, read_all, read_answer, serving, talk, until

SERVER = """
import json, os, sys, threading
from gunicorn.app.base import BaseApplication
from gateway.serving.limits import ServingLimits
from gateway.serving.options import gunicorn_options
from mft_common.process.health import ask

HELD = threading.Event()

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hold":
        environ["wsgi.input"].read(1)
    answer, status = ask({}) if path == "/readyz" else ({"scheme": environ["wsgi.url_scheme"]}, 200)
    if path == "/process":
        answer = {"process": os.getpid()}
    body = json.dumps(answer).encode()
    start_response(f"{status} X", [("Content-Length", str(len(body)))])
    return [body]

class Application(BaseApplication):
    def load_config(self):
        for name, value in gunicorn_options(**OPTIONS).items():
            self.cfg.set(name, value)
    def load(self):
        return app

OPTIONS = json.loads(sys.argv[1])
OPTIONS["limits"] = ServingLimits(**OPTIONS["limits"])
Application().run()
"""


def certificate(folder: Path) -> tuple[str, str]:
    """Write a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dock")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def start(tmp_path):
    """Start gunicorn with our options; return its process once it answers."""
    running = []

    def run(ports, workers=1, **limits):
        options = {"bind": [f"127.0.0.1:{port}" for port in ports], "workers": workers, "limits": limits}
        process = subprocess.Popen([sys.executable, "-c", SERVER, json.dumps(options)], cwd=tmp_path, env=os.environ)
        running.append(process)

        def answers():
            try:
                return b"200" in talk(ports[0], b"GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            except OSError:
                return False

        until(answers, "the server answers")
        return process

    yield run
    for process in running:
        process.kill()
        process.wait(WAIT_S)


def client_context():
    """Return the TLS settings of a client that believes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_one_process_serves_tls_on_one_port_and_plain_http_on_the_other(start, tmp_path):
    """The environment has the scheme of the listener, and no file is written outside the data folder."""
    cert, key = certificate(tmp_path)
    plain, tls = free_port(), free_port()
    start([plain, tls], https_port=tls, tls_cert=cert, tls_key=key)
    secure = http.client.HTTPSConnection("127.0.0.1", tls, timeout=WAIT_S, context=client_context())
    for _ in range(2):
        secure.request("GET", "/")
        assert json.loads(secure.getresponse().read()) == {"scheme": "https"}
    secure.close()
    with connect(plain) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert json.loads(read_answer(sock)[1]) == {"scheme": "http"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cert.pem", "key.pem"]


def test_sigterm_turns_readiness_off_and_lets_requests_finish(start):
    """New requests are answered during the grace time, requests in progress finish, and then the process ends."""
    port = free_port()
    process = start([port], grace=4, drain=20)
    with connect(port) as held:
        held.sendall(b"POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n")
        process.send_signal(signal.SIGTERM)

        def unready():
            with connect(port) as sock:
                sock.sendall(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
                head, _ = read_answer(sock)
            # A closing answer, though the client would have kept the connection.
            return b" 503 " in head and b"Connection: close" in head

        until(unready, "readiness is off while the door is open")

        def refused():
            try:
                connect(port).close()
            except OSError:
                return True
            return False

        until(refused, "no new connection is taken")
        assert process.poll() is None
        held.sendall(b"x")
        assert b" 200 " in read_answer(held)[0]
    assert process.wait(WAIT_S) == 0


def test_sigterm_ends_an_idle_server_at_once(start):
    """Idle connections do not delay the end of a process without requests in progress."""
    port = free_port()
    process = start([port])
    with connect(port) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        read_answer(idle)
        process.send_signal(signal.SIGTERM)
        assert read_all(idle) == b""
        assert process.wait(WAIT_S) == 0


def test_sigint_stops_the_server_cleanly(start):
    """The exit code after Ctrl-C is 0."""
    process = start([free_port()])
    process.send_signal(signal.SIGINT)
    assert process.wait(WAIT_S) == 0


def test_a_tls_handshake_holds_no_thread(tmp_path):
    """Sixty clients that never finish their handshake do not keep another one from TLS, with four threads."""
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def app(environ, start_response):
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    with serving(app, tls=context, threads=4) as lab:
        silent = [connect(lab.port) for _ in range(60)]
        for sock in silent:
            sock.sendall(b"\x16\x03\x01\x00\xf0\x01")
        data = os.urandom(2 << 20)
        secure = http.client.HTTPSConnection("127.0.0.1", lab.port, timeout=WAIT_S, context=client_context())
        for _ in range(3):
            secure.request("PUT", "/x", body=data)
            assert secure.getresponse().read() == data
        secure.close()
        for sock in silent:
            sock.close()


def test_clients_that_stay_are_shared_by_the_processes(start):
    """Each of two processes gets at least a quarter of 64 connections; no connection waits for a process that ended."""
    port = free_port()
    start([port], workers=2)
    clients, both = [], set()

    def both_answer():
        answer = talk(port, b"GET /process HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        both.add(json.loads(answer.partition(b"\r\n\r\n")[2])["process"])
        return len(both) == 2

    until(both_answer, "two processes answer")
    try:
        of_process = Counter()
        for _ in range(64):
            clients.append(connect(port))
            clients[-1].sendall(b"GET /process HTTP/1.1\r\nHost: h\r\n\r\n")
            of_process[json.loads(read_answer(clients[-1])[1])["process"]] += 1
        assert len(of_process) == 2
        assert min(of_process.values()) >= 16
        os.kill(next(iter(of_process)), signal.SIGKILL)
        for _ in range(8):
            assert b"200" in talk(port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    finally:
        for client in clients:
            client.close()
