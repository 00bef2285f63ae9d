import json

import pytest

from tests.service.mqmft_svc.mqmft_hub import caller, nobody

TOPIC = "SYSTEM.FTE/Transfer"
CSRF = {"ibm-mq-rest-csrf-token": ""}
LOGIN = "/ibmmq/rest/v2/login"
RIGHT = {"username": "mftadmin", "password": "mftadmin"}


def msg(answer):
    """Return the id of an error, without its prefix."""
    return answer.json["error"][0]["msgId"].removeprefix("MQWB")


@pytest.mark.parametrize(
    ("reason", "id_"), [("absent", "0104E"), ("wrong", "0105E"), ("stale", "0112E")]
)  # fmt: skip
def test_11_12_13_14_without_valid_credentials_everything_is_401(hub, reason, id_):
    """Items 11 to 14: each reason has its id and a challenge, and an unknown path answers no differently."""
    for path in ("/ibmmq/rest/v3/admin/mft/transfer", "/ibmmq/rest/v9/x", "/ibmmq/rest/v3/admin/mft/call"):
        answer = hub.ask(path, identity=nobody(reason))
        assert (answer.status_code, msg(answer)) == (401, id_)
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="IBM MQ REST API"'


@pytest.mark.parametrize("path", ["agent/login", "monitor/login", "transfer/login/"])
def test_14_a_resource_that_is_called_login_has_the_challenge(hub, path):
    """Item 14: only the login itself goes without the challenge."""
    answer = hub.ask(f"/ibmmq/rest/v3/admin/mft/{path}", identity=nobody("absent"))
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="IBM MQ REST API"'
    assert "WWW-Authenticate" not in hub.ask(f"{LOGIN}/", identity=nobody("absent")).headers


def test_13_the_message_names_the_cookie_and_never_its_value(hub):
    """Item 13: a token that does not verify is not repeated."""
    answer = hub.mft(identity=nobody("stale"), headers={"Cookie": "LtpaToken2=secret"})
    assert "LtpaToken2" in answer.json["error"][0]["message"]
    assert b"secret" not in answer.data


def test_23_too_many_wrong_passwords_are_429_with_the_time_to_wait(hub):
    """Item 23: the login throttle answers with its own id, by Basic and on login alike."""
    throttled = nobody("throttled", retry_after=12)
    answer = hub.mft(identity=throttled)
    assert (answer.status_code, msg(answer), answer.headers["Retry-After"]) == (429, "0978E", "12")
    answer = hub.ask(LOGIN, "POST", json={"username": "throttled", "password": "x"}, identity=throttled)
    assert (answer.status_code, msg(answer), answer.headers["Retry-After"]) == (429, "0978E", "30")


@pytest.mark.parametrize(
    ("roles", "topics", "status"),
    [
        (["MFTWebAdmin"], [], 200),
        (["MFTWebAdminRO"], [], 200),
        (["MQWebUser"], [TOPIC], 200),
        (["MQWebUser"], [f"{TOPIC}s/#"], 200),
        (["MQWebUser"], ["SYSTEM.FTE"], 200),
        (["MQWebUser"], [], "0103E"),
        (["MQWebUser"], ["SYSTEM.FTE/Agents"], "0103E"),
        (["MQWebAdmin"], [TOPIC], "0108E"),
        (["MQWebAdminRO"], [TOPIC], "0108E"),
        ([], [], "0108E"),
        (["MFTWebAdminRO", "MQWebUser"], [], 200),
    ],
)
def test_15_16_17_19_who_may_read_transfers(hub, roles, topics, status):
    """Items 15 to 19: the strongest role counts, and MQWebUser needs the topic."""
    answer = hub.mft(identity=caller(roles=roles, topics=topics))
    assert answer.status_code == (200 if status == 200 else 403)
    assert status in {200, *([msg(answer)] if status != 200 else [])}


def test_17_an_account_without_a_grant_has_no_role(hub):
    """Item 17: no grant for this protocol is the same as none of its roles, and the message names those that do."""
    answer = hub.mft(identity=caller(account="part1", grant=None))
    assert (answer.status_code, msg(answer)) == (403, "0108E")
    assert all(word in answer.json["error"][0]["message"] for word in ("part1", "MFTWebAdmin", "MQWebUser"))


@pytest.mark.parametrize(("method", "path", "then"), [("POST", "", (400, "0972E")), ("DELETE", "/ABC", (404, "0401E"))])
def test_18_25_writes_need_the_csrf_header_then_a_writers_role(hub, method, path, then):
    """Items 18, 22 and 25: presence counts, not value; then the read-only role is refused; then comes the body."""
    answer = hub.mft(path, method=method)
    assert (answer.status_code, msg(answer)) == (401, "0100E")
    reader = caller(roles=["MFTWebAdminRO"])
    answer = hub.mft(path, method=method, headers=CSRF, identity=reader)
    assert (answer.status_code, msg(answer)) == (403, "0108E")
    answer = hub.mft(path, method=method, headers=CSRF)
    assert (answer.status_code, msg(answer)) == then


def test_25_the_status_of_a_missing_csrf_header_is_a_setting(make_hub):
    """Item 25: MQMFT_CSRF_STATUS may make it 403."""
    answer = make_hub(MQMFT_CSRF_STATUS="403").mft(method="POST")
    assert (answer.status_code, msg(answer)) == (403, "0100E")


def test_22_the_order_of_the_checks(hub):
    """Item 22: credentials, route, csrf, rights, parameters, and the resource last."""
    poor = caller(roles=[])
    assert hub.mft("?limit=0", method="PUT", identity=nobody("absent")).status_code == 401
    assert hub.mft("?limit=0", method="PUT", identity=poor).status_code == 405
    assert hub.mft("", method="POST", identity=poor).status_code == 401
    assert hub.mft("/unknown?limit=0", identity=poor).status_code == 403
    assert hub.mft("/unknown?limit=0").status_code == 400
    assert hub.mft("/unknown").status_code == 404


def test_24_security_off_lets_everybody_in_as_an_administrator(make_hub):
    """Item 24: even broken credentials are ignored, and the csrf header is still needed."""
    hub = make_hub(MQMFT_SECURITY="off", MQMFT_SECURITY_OFF_USER="bench")
    assert hub.mft(identity=nobody("wrong")).status_code == 200
    assert hub.mft(method="POST", identity=nobody("absent")).status_code == 401
    user = hub.ask("/ibmmq/rest/v1/login", identity=nobody("throttled")).json["user"][0]
    assert user == {"name": "bench", "role": ["MFTWebAdmin"], "authenticationMechanism": "noSecurity"}


def test_24_security_off_is_for_clients_of_this_machine(make_hub):
    """Item 24: a client of a local proxy that is not trusted has to show its credentials."""
    hub = make_hub(MQMFT_SECURITY="off")
    assert hub.mft(identity=nobody("absent")._replace(address="unknown")).status_code == 401


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_140_141_142_login_gives_a_token_in_the_cookie(hub, version):
    """Items 140 to 142: 204 without a body, for two hours, without any csrf header, with or without the slash."""
    answer = hub.ask(f"/ibmmq/rest/{version}/login/", "POST", json=RIGHT, identity=nobody("absent"))
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Set-Cookie"] == "LtpaToken2=token1; Path=/; HttpOnly; SameSite=Strict"
    assert "Content-Type" not in answer.headers
    asked = hub.directory.opened_with[0]
    assert (asked["service"], asked["token_form"], asked["token_bytes"]) == ("mqmft-svc", "urlsafe", 32)
    assert (asked["idle"], asked["absolute"], asked["address"]) == (None, 7200, "10.0.0.9")


def test_141_the_cookie_is_secure_when_the_request_came_by_https(hub):
    """Item 141: over HTTP a Secure cookie would never come back."""
    answer = hub.ask(LOGIN, "POST", json=RIGHT, identity=nobody("absent", scheme="https"))
    assert answer.headers["Set-Cookie"].endswith("; Secure")


def test_142_a_wrong_password_is_401_without_cookie_or_challenge(hub):
    """Items 142 and 14: wrong credentials in the body of a login."""
    answer = hub.ask(LOGIN, "POST", json={**RIGHT, "password": "x"}, identity=nobody("absent"))
    assert (answer.status_code, msg(answer)) == (401, "0105E")
    assert "Set-Cookie" not in answer.headers
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("body", "id_"),
    [
        ("[]", "0970E"), ("{", "0970E"), ('{"username": 7, "password": "x"}', "0971E"), ('{"username": "x"}', "0971E"),
        ('{"username": "x", "password": ""}', "0971E"), ('{"username": "x", "password": "y", "z": 1}', "0971E"),
        ('{"username": null, "password": "y"}', "0971E"),
    ],
)  # fmt: skip
def test_143_a_login_body_of_another_form_is_400(hub, body, id_):
    """Item 143: no object, or a member that is missing, unknown, empty or no string."""
    answer = hub.ask(LOGIN, "POST", data=body, content_type="application/json", identity=nobody("absent"))
    assert (answer.status_code, msg(answer)) == (400, id_)
    wrong = hub.ask(LOGIN, "POST", data=body, content_type="text/plain", identity=nobody("absent"))
    assert msg(wrong) == "0972E"


def test_a_login_body_over_a_mebibyte_is_413(hub):
    """A body that is too large is refused by its length, before it is read."""
    body = json.dumps({**RIGHT, "password": "x" * (1 << 20)})
    answer = hub.ask(LOGIN, "POST", data=body, content_type="application/json", identity=nobody("absent"))
    assert (answer.status_code, msg(answer)) == (413, "0973E")


def test_144_a_second_login_leaves_the_first_token_open(hub):
    """Item 144: both tokens are good until their time."""
    for _ in range(2):
        hub.ask(LOGIN, "POST", json=RIGHT, identity=caller(mechanism="token"))
    assert set(hub.directory.open) == {"token1", "token2"}


def test_145_get_login_returns_user_and_roles_in_order(hub):
    """Item 145: an array of roles, and in v1 how the caller is known."""
    who = caller(roles=["MQWebUser", "MFTWebAdmin"], mechanism="token")
    assert hub.ask(LOGIN, identity=who).json == {"user": [{"name": "mftadmin", "role": ["MFTWebAdmin", "MQWebUser"]}]}
    assert hub.ask("/ibmmq/rest/v1/login/", identity=who).json["user"][0]["authenticationMechanism"] == "form"
    assert hub.ask("/ibmmq/rest/v1/login").json["user"][0]["authenticationMechanism"] == "basic"
    answer = hub.ask(LOGIN, identity=nobody("absent"))
    assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, False)


def test_146_logout_closes_the_token_and_drops_the_cookie(hub):
    """Item 146: cookie and csrf header are needed, and the token is closed at once."""
    hub.ask(LOGIN, "POST", json=RIGHT)
    cookie = {"Cookie": "LtpaToken2=token1"}
    who = caller(mechanism="token", session="s1")
    assert msg(hub.ask(LOGIN, "DELETE", headers=cookie, identity=who)) == "0100E"
    answer = hub.ask(LOGIN, "DELETE", headers={**cookie, **CSRF}, identity=who)
    assert (answer.status_code, hub.directory.open) == (204, {})
    assert answer.headers["Set-Cookie"].startswith("LtpaToken2=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
    assert msg(hub.ask(LOGIN, "DELETE", headers={**cookie, **CSRF})) == "0112E"
    assert msg(hub.ask(LOGIN, "DELETE", headers=CSRF)) == "0104E"


def test_146_logout_closes_the_live_one_of_several_cookies(hub):
    """Item 146: a stale cookie of the same name before it does not keep a token open."""
    hub.ask(LOGIN, "POST", json=RIGHT, identity=nobody("absent"))
    headers = {"Cookie": "LtpaToken2=stale; LtpaToken2=token1", **CSRF}
    assert hub.ask(LOGIN, "DELETE", headers=headers, identity=caller(mechanism="token")).status_code == 204
    assert not hub.directory.open


def test_58_cross_origin_answers_only_for_listed_origins(make_hub):
    """Item 58: a listed origin is let in with credentials and sees the total, a preflight needs no credentials."""
    hub = make_hub(MQMFT_CORS_ORIGINS="https://console.example")
    good, bad = {"Origin": "https://console.example"}, {"Origin": "https://other.example"}
    answer = hub.mft(headers=good)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://console.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "ibm-mq-rest-mft-total-transfers" in answer.headers["Access-Control-Expose-Headers"]
    assert answer.headers["Vary"] == "Origin"
    asking = {"Access-Control-Request-Method": "POST"}
    preflight = hub.mft(method="OPTIONS", headers={**good, **asking}, identity=nobody("absent"))
    assert preflight.status_code == 204
    assert "ibm-mq-rest-csrf-token" in preflight.headers["Access-Control-Allow-Headers"]
    for answer in (hub.mft(headers=bad), hub.mft(method="OPTIONS", headers={**bad, **asking})):
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert hub.mft(method="OPTIONS", headers=asking).status_code == 405


def test_a_request_that_did_not_come_through_the_gateway_is_refused(hub):
    """Without a valid identity every answer is 401."""
    answer = hub.client.get("/ibmmq/rest/v3/admin/mft/transfer", headers={"X-Crossdock-Identity": "forged"})
    assert (answer.status_code, msg(answer)) == (401, "0104E")
    assert hub.client.get("/readyz").json["failing"] == {}


def test_126_127_errors_are_logged_with_the_request_id_and_without_secrets(hub, log):
    """Items 126 and 127: a 4xx in one line at info level, a fault of ours with its place, and no password or token."""
    hub.ask(LOGIN, "POST", json={**RIGHT, "password": "hunter2"}, identity=nobody("absent"))
    hub.ask(LOGIN, "POST", json=RIGHT, identity=nobody("absent"))
    hub.ask(LOGIN, "DELETE", headers={"Cookie": "LtpaToken2=token1", **CSRF}, identity=caller(mechanism="token"))
    with hub.service.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE counter")
    hub.mft()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    rejected = {line["msg_id"]: line for line in lines if line["event"] == "request.rejected"}
    assert (rejected["MQWB0105E"]["level"], rejected["MQWB0105E"]["request_id"]) == ("info", "r1")
    assert rejected["MQWB0979E"]["level"] == "error"
    assert any("raised_at" in line for line in lines)
    assert not [word for word in ("hunter2", "token1") if word in log.getvalue()]
