"""The envelope: items 1 to 20 and readings A1 to A24, through the application."""

import datetime
import re
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diplomat_svc.routes import render_error
from mft_common.errors import Unavailable
from tests.servers.made_secrets import secret

OTHERS = ["cancel", "terminate", "summary", "jobHistories", "logView", "logBuffer", "removeLogView"]


@pytest.fixture
def dock(hub, transaction):
    """A hub with one transaction and two places for sessions."""
    return hub(transaction("one"), diplomat={"sessions": {"limit": 2}})


def test_connect_200_has_every_element_in_its_order_28(dock):
    """A connect answers 200 with the fields of 28 in their order, and the account's domain and userID empty."""
    answer = dock.connect(("domain", "HQ"))
    user = ["id", "contactName", "userRole", "userName", "lastPasswordUpdate", "domain", "userID", "twoFactorAuth"]
    assert answer.outline() == [
        *("statusCode", "appVersion", "serverBuildID", "serverDisplayName"),
        ("diplomatUser", [*user, "updatedToV52"]),
        *("authStrategy", "maxConnections", "passwordExpired", "noSession"),
    ]
    assert answer.root.attrib == {"responseType": "connectResponse"}
    texts = {element.tag: element.text for element in answer.root.iter() if element.text}
    assert (texts["id"], texts["contactName"]) == ("0000000000000007", "Contact of Administrator")
    assert (texts["appVersion"], texts["serverDisplayName"]) == ("8.0.0", "dock-1")
    assert (texts["userRole"], texts["lastPasswordUpdate"]) == ("Administrator", "1444918078230")
    assert (texts["authStrategy"], texts["noSession"], texts["updatedToV52"]) == ("Password", "false", "true")
    assert "domain" not in texts
    assert re.fullmatch(r"\d{8}", texts["serverBuildID"])


def test_the_body_is_xml_in_utf_8_with_a_declaration_a7(dock):
    """Type, encoding and declaration are those of A7."""
    answer = dock.connect()
    assert answer.headers["Content-Type"] == "text/xml; charset=UTF-8"
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert b"DOCTYPE" not in answer.body


def test_the_cookie_is_that_of_a8(dock):
    """The cookie has at least 128 bits, HttpOnly, the path and SameSite; Secure on TLS alone."""
    plain = dock.connect().headers["Set-Cookie"]
    assert re.fullmatch(r"JSESSIONID=[0-9a-f]{32,}; Path=/diplomat; HttpOnly; SameSite=Strict", plain)
    assert dock.connect(base_url="https://localhost").headers["Set-Cookie"].endswith("; Secure")


def test_a_database_that_is_away_is_500_with_the_time_to_come_back():
    """An exhausted pool of connections is answered with the time of the next try, and no internals."""
    answer = render_error(Unavailable("all connections to the database at /secret are in use"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (500, "5")
    assert b"errorResponse" in answer.data
    assert b"secret" not in answer.data


def test_a_connection_id_opens_nothing_a9(dock):
    """The public id of a session is no cookie."""
    dock.connect()
    (session,) = dock.directory.sessions.values()
    assert dock.call("transactionStatuses", cookie=session.public_id).status == 401


@pytest.mark.parametrize("name", ["userID", "userName", "password"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_parameter_of_connect_is_400_25_a15(dock, name, value):
    """Without userID, userName or password, or with a blank one, connect is 400 and names it."""
    pairs = {"userID": "Jim", "userName": "Administrator", "password": secret("password-of-diplomat"), name: value}
    answer = dock.call("connect", *[(key, text) for key, text in pairs.items() if text is not None])
    assert answer.status == 400
    assert name in answer.text("message")


def test_wrong_credentials_are_401_24_a3(dock):
    """A wrong password, an unknown user and an account without the grant all get one answer."""
    answers = [dock.connect(password="no"), dock.connect(user="NoGrant")]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].outline() == ["statusCode", "message"]
    assert answers[0].root.attrib == {"responseType": "errorResponse"}


def test_the_login_throttle_is_401_with_retry_after_a18(dock):
    """Past the threshold the answer is that of a wrong password, with Retry-After."""
    throttled = dock.connect(environ_base={"REMOTE_ADDR": "10.9.9.9"})
    assert (throttled.status, throttled.headers["Retry-After"]) == (401, "15")
    assert throttled.body == dock.connect(password="no").body


def test_an_expired_password_is_a13(dock):
    """An expired password is 401 with a connectResponse, and opens nothing."""
    answer = dock.connect(user="Expired")
    about = ["statusCode", "appVersion", "serverBuildID", "serverDisplayName"]
    assert answer.outline() == [*about, "maxConnections", "passwordExpired", "noSession"]
    assert (answer.status, answer.text("passwordExpired"), answer.text("noSession")) == (401, "true", "true")
    assert not dock.directory.sessions


def test_a_reached_limit_is_409_with_the_list_26_29(dock):
    """At the limit connect is 409 and lists the open sessions, oldest first, with the parts of the label."""
    dock.connect(("domain", "a/b%2F"), user_id="Jim/x")
    dock.connect(user_id="Ann/y")
    answer = dock.connect()
    one = ["connectionID", "sessionIpaddress", "sessionDomain", "sessionUserID", "contactName"]
    assert answer.outline() == [
        *("statusCode", "appVersion", "serverBuildID", "serverDisplayName", "maxConnections"),
        *(("diplomatConnection", one), ("diplomatConnection", one)),
        *("passwordExpired", "noSession"),
    ]
    labels = [
        (c.findtext("sessionDomain"), c.findtext("sessionUserID")) for c in answer.root.iter("diplomatConnection")
    ]
    assert labels == [("a/b%2F", "Jim/x"), ("", "Ann/y")]
    assert (answer.status, answer.text("maxConnections")) == (409, "true")
    assert "Set-Cookie" not in answer.headers
    assert dock.connect(password="no").status == 401, "A10: the list is for good credentials alone"


def test_disconnect_evicts_27_a11(dock):
    """`disconnect=` closes that session and opens this one; unknown ids are ignored; white space does not matter."""
    old = dock.connect().headers["Set-Cookie"].partition(";")[0].removeprefix("JSESSIONID=")
    dock.connect()
    public_id = dock.directory.sessions[old].public_id
    assert dock.connect(("disconnect", "unknown")).status == 409
    assert dock.connect(("disconnect", f" {public_id} ")).status == 200
    assert dock.call("transactionStatuses", cookie=old).status == 401


def test_one_of_many_that_evict_the_same_client_is_admitted_a11(dock):
    """Of callers that evict one client at once, exactly one gets its place."""
    dock.connect()
    dock.connect()
    public_id = next(iter(dock.directory.sessions.values())).public_id
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(dock.connect(("disconnect", public_id)).status))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, *[409] * 7]


def test_connect_with_a_live_cookie_takes_no_second_place_a12(dock):
    """A connect with a live cookie replaces its session, also when full, also behind a stale cookie."""
    dock.connect()
    dock.log_in()
    old = dock.cookie
    answer = dock.connect(headers={"Cookie": f"JSESSIONID=stale; JSESSIONID={old}"}, cookie=f"stale; JSESSIONID={old}")
    assert answer.status == 200
    assert dock.call("disconnect", cookie=old).status == 401


def test_disconnect_ends_the_session_19(dock):
    """Disconnect is an okResponse with the code alone, and its cookie opens nothing afterwards."""
    dock.log_in()
    answer = dock.call("disconnect")
    assert (answer.status, answer.outline(), answer.root.attrib) == (
        200,
        ["statusCode"],
        {"responseType": "okResponse"},
    )
    assert dock.call("disconnect").status == 401


@pytest.mark.parametrize("kind", ["disconnect", "runNow", "transactionStatuses", *OTHERS])
def test_every_request_but_connect_needs_a_session_16_a6(dock, kind):
    """Without a session a request is 401 before its parameters are looked at."""
    assert dock.call(kind, ("since", "x"), ("var", "x")).status == 401


@pytest.mark.parametrize(
    "query", ["", "requestType=", "requestType=none", "requesttype=connect", "requestType=Connect"]
)
def test_an_unknown_request_type_is_400_a5_a14(dock, query):
    """No requestType, an unknown one, or one in other letters is 400, with and without a session."""
    assert dock.call("", query_string=query).status == 400
    assert dock.log_in().call("", query_string=query).status == 400


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_405_with_allow_9(dock, method):
    """Every method but GET and POST is 405 and lists the allowed ones."""
    answer = dock.call("connect", method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("path", ["/diplomat", "/diplomat/", "/diplomat/x", "/diplomat/APIRequest/", "/other"])
def test_other_paths_are_404_3(dock, path):
    """Anything else is 404 with an errorResponse, whatever the method."""
    for method in ("GET", "POST", "BREW"):
        response = dock.client.open(path, method=method)
        assert response.status_code == 404
        assert b"errorResponse" in response.data


def test_a_form_adds_its_pairs_after_the_query_a1_a14(dock):
    """A form's pairs come after those of the query, where the first of a name counts; other bodies are not read."""
    form = {"userID": "x", "userName": "Administrator", "password": secret("password-of-diplomat")}
    assert dock.call("connect", method="POST", data=form).status == 200
    assert dock.call("connect", ("password", "no"), method="POST", data=form).status == 401
    assert dock.call("connect", method="POST", json=form).status == 400
    assert dock.call("connect", method="GET", data=form).status == 400


@pytest.mark.parametrize(
    "query",
    [
        *("requestType=transactionStatuses&a=%", "requestType=transactionStatuses&a=%zz"),
        *("requestType=transactionStatuses&a=%ff", "requestType=transactionStatuses&a=%00"),
        "requestType=transactionStatuses" + "&a=1" * 1000,
        "requestType=transactionStatuses&a=" + "x" * 8193,
    ],
)
def test_parameters_that_cannot_be_read_are_400_after_401_a6_a16_a17(dock, query):
    """Broken escapes, bytes that are not UTF-8, NUL and too much are 400, and 401 without a session."""
    assert dock.call("", query_string=query).status == 401
    assert dock.log_in().call("", query_string=query).status == 400


def test_a_form_over_1_mib_is_400_a17(dock):
    """A form over 1 MiB is 400 and not read."""
    assert dock.call("connect", method="POST", data={"a": "x" * (1 << 20)}).status == 400


def test_another_sites_page_is_401_a19(dock):
    """A request that a browser marks as cross-site is 401, with a session too."""
    dock.log_in()
    assert dock.call("transactionStatuses", headers={"Sec-Fetch-Site": "cross-site"}).status == 401
    assert dock.call("transactionStatuses", headers={"Sec-Fetch-Site": "none"}).status == 200


@pytest.mark.parametrize("value", ["x" * 256, "a\nb", "a\x7fb"])
@pytest.mark.parametrize("name", ["userID", "domain"])
def test_a_label_is_short_and_has_no_controls_a20(dock, name, value):
    """A label's part over 255 characters or with a control character is 400."""
    assert dock.call("connect", (name, value), ("userID", "a"), ("userName", "x"), ("password", "x")).status == 400


def test_a_closed_api_is_501_15_a6(hub, transaction):
    """Switched off or with a lapsed licence every request is 501, connect too, but other methods stay 405."""
    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    for diplomat in ({"api": False}, {"license": {"valid_until": yesterday}}):
        dock = hub(transaction("one"), diplomat=diplomat)
        assert dock.connect().status == 501
        assert dock.call("none").status == 501
        assert dock.call("connect", method="PUT").status == 405
    tomorrow = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    assert hub(transaction("one"), diplomat={"license": {"valid_until": tomorrow}}).connect().status == 200


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(["requestType", "transactionName", "since", "var", "x"]), st.text())),
    st.binary(),
)
def test_no_request_gets_a_5xx_or_anything_but_xml_e45(dock, pairs, raw):
    """Every answer is XML whose statusCode is the HTTP code, and no 5xx but 501."""
    dock.log_in(headers={}) if dock.cookie is None else None
    quoted = raw.replace(b"#", b"").replace(b"?", b"").decode("latin-1")
    for options in ({}, {"query_string": "requestType=runNow&" + quoted}):
        answer = dock.call("runNow", *pairs, **options)
        assert answer.status < 500 or answer.status == 501
        assert answer.text("statusCode") == str(answer.status)
