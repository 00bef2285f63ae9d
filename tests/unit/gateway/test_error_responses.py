import json
import re

import pytest
from defusedxml.ElementTree import fromstring

from gateway.error_responses import error_response, server_error_response

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "Missing parameters or syntax error", "request_syntax"),
        (413, "Request too large", "request_syntax"),
        (431, "Request too large", "request_syntax"),
        (429, "Too many attempts", "authentication"),
        (503, "Temporarily unavailable", "io"),
        (404, "Not found", "request_syntax"),
    ],
)
def test_http_mft_gets_its_envelope(status, message, kind):
    """http-mft.md 2: members in order, with a timestamp."""
    made = error_response("http-mft", status, path="/2.0/files/in/a")
    body = json.loads(made.body)
    assert made.status == status
    assert list(body) == ["result", "timestamp", "message", "errorType"]
    assert STAMP.fullmatch(body.pop("timestamp"))
    assert body == {"result": "failed", "message": message, "errorType": kind}


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/2.0/login/basic"), ("POST", "/2.0/files"), ("POST", "/2.0/files/in")]
)
def test_http_mft_has_two_calls_without_a_timestamp(method, path):
    """http-mft.md C2: login and POST /2.0/files."""
    assert "timestamp" not in json.loads(error_response("http-mft", 413, method=method, path=path).body)


@pytest.mark.parametrize("path", ["/2.0/files", "/2.0/files/", "/2.0/files/in/a"])
def test_http_mft_deletes_have_a_spelling_of_their_own(path):
    """http-mft.md E-DSYN, for deletes of files alone."""
    body = json.loads(error_response("http-mft", 400, method="DELETE", path=path).body)
    assert (body["message"], body["errorType"]) == ("missing param or syntax error", "syntax_error")
    other = json.loads(error_response("http-mft", 400, method="DELETE", path="/2.0/fileset/7").body)
    assert other["errorType"] == "request_syntax"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 400), (413, 400), (414, 400), (429, 400), (431, 400), (404, 404), (500, 500), (503, 500), (501, 501)],
)
def test_diplomat_gets_an_error_response_of_a_code_it_knows(status, code):
    """diplomat.md 12, A2, A3: the statusCode is the HTTP code."""
    made = error_response("diplomat", status)
    root = fromstring(made.body)
    assert (made.status, root.tag, root.get("responseType")) == (code, "diplomatApiResponse", "errorResponse")
    assert [child.tag for child in root] == ["statusCode", "message"]
    assert root.findtext("statusCode") == str(code)
    assert dict(made.headers)["Content-Type"] == "text/xml; charset=UTF-8"


@pytest.mark.parametrize(
    ("status", "number"),
    [
        (400, "MQWB0970E"),
        (413, "MQWB0973E"),
        (429, "MQWB0978E"),
        (431, "MQWB0973E"),
        (404, "MQWB0116E"),
        (500, "MQWB0979E"),
    ],
)
def test_ibm_mq_gets_its_error_object(status, number):
    """ibm-mq-mft.md 49, 55, 120-124: the protocol's headers, seven members, the message begins with the id."""
    made = error_response("ibm-mq-mft", status)
    (error,) = json.loads(made.body)["error"]
    assert made.status == status
    assert set(error) == {"type", "msgId", "message", "explanation", "action", "completionCode", "reasonCode"}
    assert error["msgId"] == number
    assert error["message"].startswith(f"{number}: ")
    assert (error["type"], error["completionCode"], error["reasonCode"]) == ("rest", 0, 0)
    assert made.headers[:4] == [
        ("Content-Type", "application/json;charset=utf-8"),
        ("Cache-Control", "no-cache, no-store, must-revalidate"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Language", "en-US"),
    ]


def test_ibm_mq_away_is_an_error_of_type_java():
    """ibm-mq-mft.md 121, 123: MQWB0403E with exceptions, 2 and 2059."""
    (error,) = json.loads(error_response("ibm-mq-mft", 503).body)["error"]
    assert (error["type"], error["completionCode"], error["reasonCode"]) == ("java", 2, 2059)
    assert isinstance(error["exceptions"], list)


@pytest.mark.parametrize("status", [400, 413, 429, 431, 503])
def test_data_protector_gets_a_status_alone(status):
    """sertainty.md 2: the envelope was never reached."""
    made = error_response("data-protector", status)
    assert (made.status, made.body) == (status, b"")


@pytest.mark.parametrize("protocol", ["http-mft", "diplomat", "ibm-mq-mft", "data-protector", None])
@pytest.mark.parametrize("status", [400, 404, 413, 414, 429, 431, 500, 503])
def test_every_protocol_has_every_refusal(protocol, status):
    """Each has a reason phrase, and 429 and 503 have Retry-After."""
    made = error_response(protocol, status, retry_after=7)
    assert re.fullmatch(r"[45]\d\d [A-Z].+", made.line)
    assert (dict(made.headers).get("Retry-After") == "7") is (status in (429, 503))


def test_a_refusal_of_the_server_carries_a_request_id():
    """A malformed request, too, can be found in the log."""
    line, headers, body = server_error_response(400, "GET", "/dataprotector", "192.0.2.1")
    assert line.startswith("400 ")
    assert len(dict(headers)["X-Request-ID"]) == 32
    assert body == b""
