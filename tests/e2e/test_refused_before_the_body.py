"""S1, S3: a client whose upload cannot fit hears so before it has sent it, through the gateway in every shape."""

import contextlib
import socket
import subprocess

import pytest

from tests.e2e.clients import HttpMft

# More than any disk here has room for.
FAR_TOO_MUCH = 1 << 55


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
    """Return what comes until the server closes."""
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
    """What is on its way is thrown away, for a while."""
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
