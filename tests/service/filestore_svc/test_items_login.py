"""Points 1 to 5: POST /2.0/login/basic."""

import base64
import re

import pytest

from mft_common.identity import Identity
from tests.service.filestore_svc.filestore_lab import Lab, identity_of
from tests.service.filestore_svc.vendor_words import E_AUTH, E_LOGIN, refused

LOGIN = "/2.0/login/basic"
FORM = "application/x-www-form-urlencoded"
RIGHT = "username=part1&password=partner1"


def _login(lab, body, content_type=FORM, path=LOGIN):
    return lab.call("POST", path, None, data=body, content_type=content_type)


def test_item_01_takes_a_form_and_never_the_query(lab):
    """1: an urlencoded form, with or without a charset; what the query says counts for nothing."""
    for content_type in (FORM, f"{FORM}; charset=UTF-8"):
        assert _login(lab, RIGHT, content_type).status_code == 200
    assert refused(_login(lab, '{"username":"part1"}', "application/json"), timestamp=False) == E_LOGIN
    in_query = _login(lab, "", path=f"{LOGIN}?username=part1&password=partner1")
    assert refused(in_query, timestamp=False) == E_LOGIN


def test_item_02_two_cookies_of_the_vendors_form(lab):
    """2: exactly two cookie lines, and an empty body."""
    answer = _login(lab, RIGHT)
    user, session = answer.headers.getlist("Set-Cookie")
    assert user == "sp-http-usr=part1;Version=1;Path=/;HttpOnly"
    token = re.fullmatch(r"sp-http-ses=(.{22}==);Version=1;Path=/;HttpOnly", session)[1]
    assert len(base64.b64decode(token)) == 16
    assert (answer.status_code, answer.data) == (200, b"")
    wanted = {"service": "filestore-svc", "account": "part1", "address": "192.0.2.1", "token_form": "base64"}
    asked = lab.accounts.opened[0]
    assert {name: asked[name] for name in wanted} == wanted
    assert (asked["token_bytes"], asked["idle"], asked["absolute"]) == (16, 1800.0, 43_200.0)


@pytest.mark.parametrize(
    ("section", "scheme", "added"),
    [
        ({}, "http", ""),
        ({}, "https", ";Secure"),
        ({"secure": False}, "https", ";Secure"),
        ({"secure": True}, "http", ";Secure"),
        ({"same_site": "Strict"}, "http", ";SameSite=Strict"),
        ({"same_site": "None"}, "https", ";Secure;SameSite=None"),
    ],
)
def test_cookies_are_secure_where_the_request_came_by_tls(tmp_path, section, scheme, added):
    """S32: `Secure` on the TLS port, `SameSite` where it is configured, and the vendor's exact line elsewhere."""
    lab = Lab(tmp_path, sessions=section)
    login = lab.call("POST", LOGIN, who=identity_of(None, scheme=scheme), data=RIGHT, content_type=FORM)
    logout = lab.call("POST", "/2.0/logout", who=identity_of("part1", session="1", scheme=scheme))
    for answer in (login, logout):
        lines = answer.headers.getlist("Set-Cookie")
        assert [line.partition(";HttpOnly")[2] for line in lines] == [added, added]
    lab.close()


def test_item_03_a_wrong_pair(lab):
    """3: unknown user and wrong password are told alike, without timestamp."""
    for body in ("username=part1&password=x", "username=nobody&password=partner1", "username=a%00&password=%ff"):
        assert refused(_login(lab, body), timestamp=False) == E_AUTH


def test_item_04_missing_parameters(lab):
    """4: 404, without timestamp."""
    for body in ("", "username=part1", "password=x", "username=&password=x", "username=part1&password="):
        assert refused(_login(lab, body), timestamp=False) == E_LOGIN


def test_item_05_the_cookies_authenticate_every_call(lab):
    """5: whoever the gateway knows by the cookies is let in, and nobody else."""
    assert lab.get("/2.0/directories", who=identity_of("part1", session="1")).status_code == 200
    stale = Identity(request_id="1" * 32, address="192.0.2.1", mechanism="form", reason="stale")
    assert refused(lab.get("/2.0/directories", who=stale)) == E_AUTH


def test_too_many_attempts(lab):
    """S33: 429 with Retry-After, and no timestamp."""
    answer = _login(lab, "username=part2&password=x")
    assert refused(answer, timestamp=False) == (429, "Too many attempts", "authentication")
    assert answer.headers["Retry-After"] == "15"


def test_a_form_over_its_limit(lab):
    """413: no user name and password are that long."""
    answer = _login(lab, "username=" + "x" * 70_000)
    assert refused(answer, timestamp=False) == (413, "Request too large", "request_syntax")
