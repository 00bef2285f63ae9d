"""3.1: POST /2.0/login/basic."""

import pytest

URL = "/2.0/login/basic"
FORM = "application/x-www-form-urlencoded"


def _login(lab, body, content_type=FORM, url=URL):
    return lab.call("POST", url, None, data=body, content_type=content_type)


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=UTF-8"])
def test_the_right_pair_gets_two_cookies(lab, content_type):
    """1, 2: exactly two Set-Cookie lines in the vendor's form, and an empty body."""
    answer = _login(lab, "username=part1&password=partner1", content_type)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers.getlist("Set-Cookie") == [
        "sp-http-usr=part1;Version=1;Path=/;HttpOnly",
        "sp-http-ses=AAAAAAAAAAAAAAAAAAAAAA==;Version=1;Path=/;HttpOnly",
    ]
    asked = lab.accounts.opened[0]
    assert (asked["service"], asked["token_form"], asked["token_bytes"]) == ("filestore-svc", "base64", 16)
    assert (asked["idle"], asked["absolute"], asked["address"]) == (1800.0, 43_200.0, "192.0.2.1")


@pytest.mark.parametrize(
    "body", ["username=part1&password=x", "username=nobody&password=partner1", "username=a%00&password=%ff"]
)
def test_a_wrong_pair(lab, body):
    """3: E-AUTH without a timestamp, in wording alike."""
    answer = _login(lab, body)
    assert answer.status_code == 401
    assert answer.data == b'{"result":"failed","message":"Invalid username or password","errorType":"authentication"}'


@pytest.mark.parametrize(
    "body", ["", "username=part1", "password=x", "username=&password=x", "username=part1&password="]
)
def test_missing_parameters(lab, body):
    """4: 404, because the page has that row."""
    answer = _login(lab, body)
    assert answer.status_code == 404
    assert answer.data == b'{"result":"failed","message":"No username or password","errorType":"request_syntax"}'


def test_only_the_body_is_read(lab):
    """1: the query string holds no passwords, and other content types no fields."""
    assert _login(lab, "", url=f"{URL}?username=part1&password=partner1").status_code == 404
    assert _login(lab, '{"username":"part1"}', "application/json").status_code == 404


def test_the_brake(lab):
    """S33: 429 with Retry-After, and no timestamp."""
    answer = _login(lab, "username=part2&password=x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "15")
    assert answer.json == {"result": "failed", "message": "Too many attempts", "errorType": "authentication"}


def test_a_body_without_end(lab):
    """413: nobody's name and password are that long."""
    assert _login(lab, "username=" + "x" * 70_000).status_code == 413
