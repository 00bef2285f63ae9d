import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common import environ_keys
from mft_common.http1 import UrlUpstream, WsgiUpstream
from mft_common.http1.request_writer import write_request_head
from mft_common.http1.response_head import MalformedResponse, parse_response_head

PLAIN = {"REQUEST_METHOD": "GET", "PATH_INFO": "/a b", "QUERY_STRING": "c=|d"}


def test_a_response_head_is_read():
    """Hop-by-hop fields, and those that Connection names, are removed."""
    head = parse_response_head(
        b"HTTP/1.1 200 All Right\r\nX-A:  b \r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
        b"Keep-Alive: 5\r\nContent-Length: 07\r\n\r\n"
    )
    assert (head.status, head.reason, head.length, head.chunked, head.keep_alive) == (200, "All Right", 7, False, True)
    assert head.headers == [("X-A", "b"), ("Content-Length", "7")]


@pytest.mark.parametrize(
    ("raw", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_a_head_tells_whether_the_connection_goes_on(raw, keep_alive):
    """HTTP/1.1 keeps unless told otherwise, HTTP/1.0 closes."""
    assert parse_response_head(raw).keep_alive is keep_alive


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
    ],
)
def test_an_unclear_head_is_refused(raw):
    """A head from which the end of the body is not certain is rejected."""
    with pytest.raises(MalformedResponse):
        parse_response_head(raw)


@given(st.binary(max_size=200))
def test_no_bytes_but_a_head_are_taken_for_one(raw):
    """Any bytes are a valid head or raise MalformedResponse."""
    try:
        head = parse_response_head(raw)
    except MalformedResponse:
        return
    assert 100 <= head.status <= 999


def test_a_request_head_keeps_the_clients_words():
    """Target and fields are forwarded as they came, without framing, hop-by-hop fields and Expect."""
    raw = write_request_head(
        {
            **PLAIN,
            environ_keys.RAW_PATH: "/a%20b",
            "HTTP_HOST": "dock:8",
            "HTTP_COOKIE": "a=b; c=d",
            "HTTP_CONNECTION": "close, X-Hop",
            "HTTP_X_HOP": "1",
            "HTTP_TE": "trailers",
            "HTTP_EXPECT": "100-continue",
            "HTTP_TRANSFER_ENCODING": "chunked",
            "CONTENT_TYPE": "text/plain",
            "CONTENT_LENGTH": "5",
        },
        "/base",
    )
    lines = raw.decode().split("\r\n")
    assert lines[0] == "GET /base/a%20b?c=|d HTTP/1.1"
    assert set(lines[1:]) == {"Host: dock:8", "Cookie: a=b; c=d", "Content-Type: text/plain", ""}


def test_a_path_without_raw_bytes_is_quoted():
    """A request without the raw path is forwarded with its path percent-encoded."""
    assert write_request_head(PLAIN, "").startswith(b"GET /a%20b?c=|d HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\ny", "a\0"])
def test_a_field_with_a_line_break_is_no_second_field(value):
    """A line break or NUL in a field is an error."""
    with pytest.raises(ValueError, match="line break"):
        write_request_head({**PLAIN, "HTTP_X_A": value}, "")


@pytest.mark.parametrize("url", ["ftp://x", "http://", "x:80", "http://x/?a"])
def test_an_upstream_needs_a_url_of_a_service(url):
    """A string that is no URL of a service is rejected when the upstream is made."""
    with pytest.raises(ValueError, match="URL"):
        UrlUpstream(url)


def test_an_application_of_this_process_answers_itself():
    """The application's result is returned unchanged."""
    answer = [b"x"]
    upstream = WsgiUpstream(lambda _environ, _start: answer)
    assert upstream.call({}, lambda *_: None) is answer
    assert not upstream.remote
