import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.serving.options import gunicorn_options
from mft_common.http1.request_head import RequestHeadError, check_partial_head, method_and_path, parse_request_head


def refusal(look):
    """Return the status of the RequestHeadError that `look` raises, None when it raises none."""
    try:
        look()
    except RequestHeadError as error:
        return error.status
    return None


@given(st.binary(max_size=300))
def test_no_bytes_but_a_head_are_taken_for_one(raw):
    """Any bytes are a valid head or raise RequestHeadError, complete or not."""
    for look in (lambda: parse_request_head(raw, 10), lambda: check_partial_head(raw, 100, 200)):
        assert refusal(look) in (None, 400, 414, 431)
    method_and_path(raw)


def test_fields_become_an_environment():
    """Repeated fields are joined as their grammar says, cookies with a semicolon."""
    head = parse_request_head(
        b"POST /a%20b?c HTTP/1.1\r\nHost: h\r\nCookie: a=1\r\nCookie: b=2\r\n"
        b"X-Y: 1\r\nx-y:\t2 \r\nContent-Length: 3\r\n\r\n",
        10,
    )
    environ = head.environ
    assert (environ["HTTP_COOKIE"], environ["HTTP_X_Y"], environ["PATH_INFO"]) == ("a=1; b=2", "1,2", "/a b")
    assert (head.length, head.chunked, head.keep_alive, head.expects_continue) == (3, False, True, False)


@pytest.mark.parametrize(
    ("raw", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: h\r\nConnection: closed, x-close\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_a_head_tells_whether_its_connection_is_kept(raw, keep_alive):
    """HTTP/1.1 keeps unless told otherwise, HTTP/1.0 closes."""
    assert parse_request_head(raw, 10).keep_alive is keep_alive


@pytest.mark.parametrize("target", [b"h:80", b"*", b"ftp://h/", b"a/b", b"/a#b"])
def test_a_target_is_a_path_or_an_http_url(target):
    """Every other form of a target is rejected."""
    with pytest.raises(RequestHeadError):
        parse_request_head(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n", 10)


def test_a_head_that_can_still_become_one_is_waited_for():
    """No beginning of a valid head is rejected."""
    raw = b"GET /x?y=|z HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n"
    for end in range(1, len(raw)):
        check_partial_head(raw[:end], 100, 200)


def test_gunicorn_trusts_no_forwarded_header_and_opens_no_control_socket():
    """Gunicorn's forwarded headers, control socket and HTTP/2 are off."""
    options = gunicorn_options(bind=["127.0.0.1:1"], workers=1)
    assert options["forwarded_allow_ips"] == ""
    assert options["control_socket_disable"] is True
    assert options["http_protocols"] == "h1"
