"""Exchanges with real servers: what is sent and read, what is not followed, and the addresses that are refused."""

import json
import ssl
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from crossdock import certificate
from mft_common.exchanges import AddressRefused, AllowedHosts, NoAnswer, Request, send
from tests.servers.answering import Answering
from tests.servers.dripping import Dripping
from tests.servers.own_network import in_own_network
from tests.servers.processes import free_port
from tests.servers.stopwatch import Stopwatch

ROOT = Path(__file__).parents[3]
# Sends requests to a name whose address is another one at each look-up, and tells where they arrived.
PROGRAM = textwrap.dedent("""
    import json, sys
    from mft_common.exchanges import AddressRefused, AllowedHosts, NoAnswer, Request, send
    from tests.servers.answering import Answering
    from tests.servers.name_server import NameServer
    from tests.servers.own_network import start_loopback

    start_loopback()
    names = NameServer(["127.0.0.2", "127.0.0.3"])
    servers = [Answering(address=address, port=8080) for address in ("127.0.0.2", "127.0.0.3")]
    hosts = AllowedHosts.of(["partner.test:8080", "127.0.0.2"])
    outcomes = []
    for _ in range(2):
        try:
            permit = lambda address, port: hosts.permits("partner.test", address, port)
            outcomes.append(send(Request(url="http://partner.test:8080/x"), within=9, idle=9, permit=permit).status)
        except AddressRefused:
            outcomes.append("refused")
    shown = [[request[2]["Host"] for request in server.requests] for server in servers]
    print(json.dumps({"outcomes": outcomes, "hosts": shown, "asked": names.asked}))
""")


@pytest.fixture
def server():
    made = Answering()
    yield made
    made.close()


def to(server, path="/", **more):
    return Request(url=f"{server.url}{path}", **more)


def test_a_request_has_its_method_path_headers_and_body(server):
    """The answer has its status, and as much of its body as was asked for."""
    server.answers = [(418, {}, b"0123456789")]
    request = to(server, "/a b?q=ü", method="PUT", headers={"X-One": "1"}, body=b"content")
    answer = send(request, within=9, idle=9, keep=4)
    assert (answer.status, answer.body) == (418, b"0123")
    ((method, path, headers, body),) = server.requests
    assert (method, path, body) == ("PUT", "/a%20b?q=%C3%BC", b"content")
    assert (headers["X-One"], headers["Host"]) == ("1", f"127.0.0.1:{server.port}")


def test_interim_answers_are_skipped():
    """A request whose answer comes after them has not failed, and is not sent again."""
    interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    server = Dripping(interim + b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")
    try:
        answer = send(Request(url=f"http://127.0.0.1:{server.port}/"), within=9, idle=9, keep=9)
    finally:
        server.close()
    assert (answer.status, answer.body) == (201, b"ok")


def test_a_redirect_is_an_answer_and_is_not_followed(server):
    """The place that it names gets no request."""
    server.answers = [(307, {"Location": "/elsewhere"}, b"")]
    assert send(to(server), within=9, idle=9).status == 307
    assert len(server.requests) == 1


def test_proxies_of_the_environment_are_not_used(server, monkeypatch):
    """A proxy would connect to any address in the place of the hub."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert send(to(server), within=9, idle=9).status == 204


def test_of_an_endless_answer_only_the_begin_is_read(server):
    """An answer of a terabyte costs what is kept of it."""
    server.answers = [(200, {"Content-Length": str(1 << 40)}, b"x" * 100_000)]
    assert send(to(server), within=9, idle=9, keep=4000).body == b"x" * 4000


@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["header", "body", "body without a length"],
)
def test_an_answer_that_drips_is_given_up_in_time(greeting):
    """One byte comes after another, each well within a read's limit."""
    slow = Dripping(greeting)
    since = Stopwatch()
    try:
        with pytest.raises(NoAnswer, match="took too long"):
            send(Request(url=f"http://127.0.0.1:{slow.port}/"), within=0.5, idle=5, keep=4000)
        assert since.seconds < 5
    finally:
        slow.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "http://127.0.0.1:99999/", "http:///x", "http://x y/"])
def test_the_reason_of_a_failure_does_not_name_the_url(url):
    """It names the kind of the error alone."""
    with pytest.raises(NoAnswer, match=r"^the request failed ") as error:
        send(Request(url=url.format(free_port()) + "token-5341"), within=9, idle=9)
    assert "127" not in str(error.value)
    assert "token" not in str(error.value) + repr(Request(url="http://x/token-5341", headers={"A": "token"}))


def test_an_address_that_is_not_permitted_gets_no_connection(server):
    """The name is an allowed one, and its address is not."""
    hosts = AllowedHosts.of(["*"])
    with pytest.raises(AddressRefused):
        send(to(server), within=9, idle=9, permit=lambda address, port: hosts.permits("localhost", address, port))
    assert server.requests == []


def test_a_name_is_looked_up_once_for_each_exchange(tmp_path):
    """The connection goes to the address that was decided about: a name with another one next time is refused then."""
    resolver = "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n"
    command = in_own_network([sys.executable, "-c", PROGRAM], tmp_path, hosts="", resolver=resolver)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "outcomes": [204, "refused"], "hosts": [["partner.test:8080"], []], "asked": 2,
    }  # fmt: skip


def test_a_servers_certificate_is_verified_for_the_name_of_the_url(tmp_path):
    """The connection is made to an address, and the name is asked for and compared."""
    crt, key = certificate.ensure(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(crt, key)
    asked = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    server, other = Answering(context), Answering(context, address="127.0.0.9")
    url = f"https://localhost:{server.port}/"
    try:
        assert send(Request(url=url, ca=str(crt)), within=9, idle=9).status == 204
        with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
            send(Request(url=url), within=9, idle=9)
        with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
            send(Request(url=other.url, ca=str(crt)), within=9, idle=9)
    finally:
        server.close()
        other.close()
    assert asked[:2] == ["localhost", "localhost"]


def test_the_last_number_of_an_ipv6_address_is_no_port():
    """Without a port the one of the scheme is connected to, on which nothing listens here."""
    with pytest.raises(NoAnswer) as error:
        send(Request(url="http://[::1]/"), within=9, idle=9)
    assert "gaierror" not in str(error.value)
