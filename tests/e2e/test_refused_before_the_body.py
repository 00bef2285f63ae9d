"""Uploads that cannot fit are refused before their body (S1, S3), and calls whose body is cut short at its end.

Through the gateway, in every shape.
"""

import base64
import contextlib
import json
import socket
import subprocess

import pytest

from tests.e2e.clients import HttpMft

# More than any disk here has room for.
FAR_TOO_MUCH = 1 << 55
LOGIN = json.dumps({"username": "mftadmin", "password": "mftadmin"}).encode()
OPEN_SESSION = b"<Request><Function>hostOpenSession</Function><ArgList><Argument>%s</Argument></ArgList></Request>"
FORM = "application/x-www-form-urlencoded"
# A call whose body is complete in itself: its path, its type, its body.
CALLS = {
    "http-mft": ("/2.0/login/basic", FORM, b"username=part1&password=partner1"),
    "diplomat": (
        "/diplomat/APIRequest?requestType=connect&userID=cut",
        FORM,
        b"userName=Administrator&password=diplomat123",
    ),
    "ibm-mq-mft": ("/ibmmq/rest/v2/login", "application/json", LOGIN),
    "data-protector": ("/dataprotector", "text/xml", OPEN_SESSION % base64.b64encode(b"operator")),
}


def _head(hub, cookies, length, *fields, name="huge"):
    lines = [
        f"PUT /2.0/files/in/{name} HTTP/1.1",
        f"Host: 127.0.0.1:{hub.port}",
        "Cookie: " + "; ".join(f"{key}={value}" for key, value in cookies.items()),
        "Content-Type: multipart/form-data; boundary=XbX",
        f"Content-Length: {length}",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _everything(connection):
    """Return all bytes until the server closes."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while block := connection.recv(65536):
            answer += block
    return answer


@pytest.fixture
def connection(hub):
    """A connection to the hub, and the cookies of a session."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=20) as made:
        yield made, HttpMft(hub.url).http.cookies.get_dict()


def test_a_client_that_asks_first_sends_nothing(hub, connection):
    """`Expect: 100-continue` is answered with the refusal, not with 100."""
    client, cookies = connection
    client.sendall(_head(hub, cookies, FAR_TOO_MUCH, "Expect: 100-continue"))
    head, _, body = _everything(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 507 ")
    assert b'"message":"Not enough space","errorType":"io"' in body


def test_a_client_that_just_sends_gets_to_read_the_answer(hub, connection):
    """The server reads and drops bytes that are on their way, for a while."""
    client, cookies = connection
    client.sendall(_head(hub, cookies, FAR_TOO_MUCH))
    with contextlib.suppress(ConnectionError):
        for _ in range(10):
            client.sendall(b"x" * 65536)
    assert _everything(client).startswith(b"HTTP/1.1 507 ")


def test_a_client_whose_upload_fits_is_asked_for_it(hub, connection):
    """100, and after the body 201."""
    client, cookies = connection
    body = b'--XbX\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello\r\n--XbX--\r\n'
    client.sendall(_head(hub, cookies, len(body), "Expect: 100-continue", "Connection: close", name="fits"))
    first = client.recv(65536)
    assert first.startswith(b"HTTP/1.1 100 ")
    client.sendall(body)
    assert b"HTTP/1.1 201 " in first[20:] + _everything(client)


def test_curl_hears_of_it(hub, connection, tmp_path):
    """The most common client, with a file that is only declared to be large, asking first and not."""
    _, cookies = connection
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(1 << 43)
    jar = "; ".join(f"{key}={value}" for key, value in cookies.items())
    for expect in ("Expect: 100-continue", "Expect:"):
        command = ["curl", "-sS", "-m", "20", "-X", "PUT", "-H", expect, "-b", jar, "-F", f"file=@{large}"]
        done = subprocess.run([*command, f"{hub.url}/2.0/files/in/large"], capture_output=True, timeout=60, check=False)
        assert b"Not enough space" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("protocol", "missing"),
    [
        *((protocol, missing) for protocol in CALLS for missing in ("a byte", "the last chunk")),
        # A log-in of HTTP MFT is not as large.
        *((protocol, "100 KB") for protocol in CALLS if protocol != "http-mft"),
    ],
)
def test_a_call_whose_body_is_cut_short_is_not_carried_out(hub, protocol, missing):
    """A client that vanishes before the end of its body opens no session, though the part that came would do."""
    path, kind, body = CALLS[protocol]
    if missing == "the last chunk":
        framing, body = "Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (len(body), body)
    else:
        framing = f"Content-Length: {len(body) + {'a byte': 1, '100 KB': 100_000}[missing]}"
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nibm-mq-rest-csrf-token: x\r\n{framing}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hub.port), timeout=20) as client:
        client.sendall(head.encode() + body)
        client.shutdown(socket.SHUT_WR)
        answer = _everything(client)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"set-cookie" not in answer.lower()
