"""Calls as requests state them: what is accepted, what is refused, and what is not shown (232)."""

import base64
import html
import json

import pytest

from mqmft_svc.domain.calls import CallRequest, CallState, Try
from mqmft_svc.errors import BodyInvalid
from mqmft_svc.schemas.bodies import load
from mqmft_svc.schemas.calls import CallSchema

URL = "https://partner.example:8443/in?key=0123456789"


def read(**more):
    """Return the call that a body asks for."""
    return load(CallSchema(), {"type": "http", "url": URL, **more})


def test_232_the_defaults_are_those_of_the_protocol():
    """POST, no retry, 5 s between tries, 30 s for each, and every 2xx is a success; null counts as absent."""
    call = read(method=None)
    assert (call.method, call.retry_count, call.retry_wait_s, call.timeout_s) == ("POST", 0, 5, 30)
    assert [status for status in range(100, 600) if call.is_success(status)] == list(range(200, 300))
    assert load(CallSchema(), {"url": URL}) == call
    assert CallRequest.from_json(call.to_json()) == call


def test_232_success_codes_are_ranges():
    """Single statuses and ranges, both ends included."""
    call = read(successCodes="200-299,304,404-405")
    assert [status for status in (199, 200, 299, 300, 304, 305, 404, 405, 406) if call.is_success(status)] == [
        200, 299, 304, 404, 405,
    ]  # fmt: skip
    assert CallRequest.from_json(call.to_json()) == call


@pytest.mark.parametrize("kind", ["executable", "antScript", "jcl"])
def test_191_programs_are_refused_by_their_type(kind):
    """No program on the host is executed; the other attributes of such a call are not what is wrong with it."""
    with pytest.raises(BodyInvalid) as error:
        load(CallSchema(), {"type": kind, "name": "backup.sh", "retryCount": 1})
    assert "'type'" in str(error.value)
    assert "nothing on the host" in str(error.value)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"type": "ftp"}, "type"),
        ({"type": 1}, "type"),
        ({"url": None}, "url"),
        ({"url": ""}, "url"),
        ({"url": 5}, "url"),
        ({"url": "ftp://x/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "https:///x"}, "url"),
        ({"url": "https://u:p@x/"}, "url"),
        ({"url": "https://@x/"}, "url"),
        ({"url": "https://x/#f"}, "url"),
        ({"url": "https://x/ y"}, "url"),
        ({"url": "https://x/\r\nHost: y"}, "url"),
        ({"url": "https://x\\@y/"}, "url"),
        ({"url": "https://x:0/"}, "url"),
        ({"url": "https://x:99999/"}, "url"),
        ({"url": "https://[::1/"}, "url"),
        ({"url": "https://ü.example/"}, "url"),
        ({"url": "https://x/" + "a" * 2048}, "url"),
        ({"method": "post"}, "method"),
        ({"method": "CONNECT"}, "method"),
        ({"headers": []}, "headers"),
        ({"headers": {"A": 1}}, "headers.A"),
        ({"headers": {"A b": "1"}}, "headers"),
        ({"headers": {"A": "x\r\nB: y"}}, "headers"),
        ({"headers": {"A": " x"}}, "headers"),
        ({"headers": {"A": "ü"}}, "headers"),
        ({"headers": {"Host": "x"}}, "headers"),
        ({"headers": {"content-length": "1"}}, "headers"),
        ({"headers": {"Idempotency-Key": "1"}}, "headers"),
        ({"headers": {"A": "1", "a": "2"}}, "headers"),
        ({"headers": {f"A{number}": "" for number in range(51)}}, "headers"),
        ({"retryCount": -1}, "retryCount"),
        ({"retryCount": 1.0}, "retryCount"),
        ({"retryCount": True}, "retryCount"),
        ({"retryCount": 101}, "retryCount"),
        ({"retryWait": 3601}, "retryWait"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "30"}, "timeout"),
        ({"successCodes": "200-"}, "successCodes"),
        ({"successCodes": "299-200"}, "successCodes"),
        ({"successCodes": "200, 204"}, "successCodes"),
        ({"successCodes": "99"}, "successCodes"),
        ({"successCodes": "600"}, "successCodes"),
        ({"successCodes": ""}, "successCodes"),
        ({"name": "x"}, "name"),
    ],
)
def test_232_what_is_wrong_is_named_by_its_path_and_not_repeated(values, path):
    """The reason holds nothing of a URL or of a header's value."""
    with pytest.raises(BodyInvalid) as error:
        read(**values)
    assert error.value.words["name"] == path
    for text in values.values():
        assert not isinstance(text, str) or len(text) < 6 or text not in str(error.value.words["reason"])


def test_232_what_is_shown_of_a_call_holds_no_secret():
    """Its name is the origin; of a text that repeats secrets they are taken out, the longest first."""
    call = read(headers={"Authorization": "Bearer abcdefgh", "X-Key": "abcdefgh-and-more", "A": "1"})
    assert call.name == "https://partner.example:8443"
    assert "abcdefgh" not in repr(call)
    assert "key" not in repr(call)
    assert call.without_secrets(f"1 {URL} abcdefgh-and-more abcdefgh key=0123456789 in") == "1 *** *** *** *** in"


@pytest.mark.parametrize(
    "written",
    [
        lambda text: json.dumps({"X-Key": text}),
        lambda text: json.dumps({"X-Key": text}).replace("/", "\\/"),
        html.escape,
        lambda text: html.escape(text, quote=False),
    ],
)
def test_232_a_secret_is_found_however_an_answer_writes_it(written):
    """JSON and HTML escape characters of it."""
    call = read(headers={"X-Key": 'one"and/<other>&'})
    assert "and" not in call.without_secrets(written('one"and/<other>&'))


def test_232_a_secret_is_found_decoded_and_as_it_was_sent():
    """The values of a query and steps of a path one by one, and what a login says."""
    login = base64.b64encode(b"treasury:hidden-word").decode()
    url = "https://partner.example/of%2Fa-long-step/in?sig=abc%2Fdef%2B1+2&x=1"
    call = read(url=url, headers={"Authorization": f"Basic {login}", "X": "Basic ?"})
    for text in ("sig=abc%2Fdef%2B1+2", "of%2Fa-long-step", "of/a-long-step", "hidden-word", "treasury:hidden-word"):
        assert call.without_secrets(text) == "***"
    assert call.without_secrets("<abc%2Fdef%2B1+2> <abc/def+1 2>") == "<***> <***>"


def test_232_a_secret_in_which_a_text_breaks_off_is_taken_out():
    """All of it that is there, and nothing of a text that ends by itself."""
    call = read(headers={"Authorization": "Bearer abcdefgh"})
    assert call.without_secrets("x abcdefgh y abcdefg", is_cut=True) == "x *** y "
    assert call.without_secrets("x Bearer abcd", is_cut=True) == "x "
    assert call.without_secrets("x abcdefgh", is_cut=True) == "x ***"
    assert call.without_secrets("x abcdefg") == "x abcdefg"


def test_232_a_call_is_tried_until_it_succeeds_or_its_tries_are_over():
    """The first try is none of `retryCount`; a refusal that cannot heal ends it at once."""
    call = read(retryCount=1)
    failed, done = Try(status=500, reason="the receiver answered 500"), Try(status=200)
    once = CallState().after(call, failed)
    assert (once.outcome, once.tries) == ("", 1)
    assert once.after(call, failed).outcome == "failure"
    assert once.after(call, done).outcome == "success"
    assert CallState().after(call, Try(reason="refused", is_final=True)).outcome == "failure"
    assert CallState.from_json(once.to_json()) == once
