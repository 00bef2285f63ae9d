import codecs
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.settings import SettingsError
from mqmft_svc import errors, wire
from mqmft_svc.errors import RestError
from mqmft_svc.settings import Settings

JSON = "application/json"


def all_errors():
    """Return every error class below RestError."""
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RestError)]


def test_48_broken_escapes_and_bytes_that_are_not_utf8_are_refused():
    """Item 48: a query that cannot be read is a 400, and what can be read comes in order."""
    escape, bytes_ = "a broken percent escape", "bytes that are not UTF-8"
    for query, reason in (
        ("limit=%", escape), ("limit=%2", escape), ("x%zz=1", escape), ("after=%ff%fe", bytes_), ("after=\xff", bytes_),
    ):  # fmt: skip
        with pytest.raises(errors.ParameterUnknown, match=rf"^The query string holds {reason}\.$"):
            wire.query_pairs(query)
    assert wire.query_pairs("a=1&&b=%C3%A9&a=+x") == [("a", "1"), ("b", "é"), ("a", " x")]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/jsonp", "application/json; charset=latin-1"])
def test_143_a_body_of_another_type_is_refused(kind):
    """Item 143: the header has to say JSON."""
    with pytest.raises(errors.ContentTypeWrong):
        wire.json_body(kind, b"{}")


@pytest.mark.parametrize(
    "kind", [JSON, "Application/JSON", "application/json;charset=utf-8", 'application/json; charset="UTF-8"']
)
def test_150_json_may_name_its_character_set(kind):
    """Item 150: the type is read in any case, with or without UTF-8."""
    assert wire.json_body(kind, b'{"a": 1}') == {"a": 1}


def test_154_json_may_begin_with_one_byte_order_mark():
    """Item 154: clients on Windows write the mark; a second one is no JSON."""
    assert wire.json_body(JSON, codecs.BOM_UTF8 + b'{"a": 1}') == {"a": 1}
    with pytest.raises(errors.BodyNotJson):
        wire.json_body(JSON, codecs.BOM_UTF8 * 2 + b"{}")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"1", b"null", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b'{"a":"\\ud800"}', b"[" * 100_000,
     b'{"a":' * 40 + b"1" + b"}" * 40],
)  # fmt: skip
def test_143_154_what_is_no_json_object_is_refused(body):
    """Items 143 and 154: doubled names, NaN, surrogates, depth, and everything that is not an object."""
    with pytest.raises(errors.BodyNotJson):
        wire.json_body(JSON, body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"), (b"[]", "it is JSON of another type"),
        (b'{"a":1,"a":2}', 'the name "a" comes twice in an object'), (b'{"a":NaN}', "NaN is no JSON"),
        (b'{"\xff', "byte 2 is not part of a character"), (b'{"a":"\\ud800"}', "it has one half of a surrogate pair"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "it is nested more than 32 deep"),
        (b"[" * 100_000, "it is nested more than 32 deep"),
    ],
)  # fmt: skip
def test_122_the_error_of_a_body_says_what_is_wrong(body, reason):
    """Item 122: the message names the defect, and where it is."""
    with pytest.raises(errors.BodyNotJson) as caught:
        wire.json_body(JSON, body)
    assert str(caught.value) == f"The body is not a JSON object in UTF-8: {reason}."


@given(st.binary(max_size=60))
def test_143_random_bytes_are_an_object_or_a_refusal(body):
    """Item 143: no bytes make anything else of the reader."""
    with contextlib.suppress(errors.BodyNotJson):
        assert isinstance(wire.json_body(JSON, body), dict)


def test_120_123_every_error_has_the_same_seven_members():
    """Items 120 to 123: one shape, the id first in the message, whole sentences, and 2059 for a database away."""
    words = {"user": "u", "topic": "t", "roles": "r", "cookie": "c", "name": "n", "id": "i", "method": "m", "qmgr": "q"}
    words |= {
        "reason": "r",
        "request_id": "1",
        "resource": "transfers",
        "where": "",
        "agent": "a",
        "agents": "a",
        "most": 1,
    }
    for cls in all_errors():
        error = cls(401) if cls is errors.CsrfHeaderMissing else cls(**words)
        entry = json.loads(wire.error_bytes(error))["error"][0]
        away = entry.pop("exceptions", None) is not None
        assert set(entry) == {"type", "msgId", "message", "explanation", "action", "completionCode", "reasonCode"}
        assert entry["message"].startswith(f"{entry['msgId']}: ")
        assert all(entry[name].endswith(".") and "{" not in entry[name] for name in ("explanation", "action"))
        assert (entry["completionCode"], entry["reasonCode"]) == ((2, 2059) if away else (0, 0))
        assert entry["type"] == ("java" if away else "rest")
    # What is not allowed or not there, the names of agents and monitors, and wrong members of bodies
    # have several sentences for one id (124, 125).
    shared = {"MQWB0103E", "MQWB0401E", "MQWB0971E", "MQWB0975E"}
    ids = [cls.msg_id for cls in set(all_errors()) - {RestError, errors.Internal} if cls.msg_id not in shared]
    assert len(ids) == len(set(ids))


def test_141_the_cookie_is_secure_only_over_https():
    """Item 141: the token's cookie by its exact attributes."""
    assert wire.cookie("LtpaToken2", "x", secure=False) == "LtpaToken2=x; Path=/; HttpOnly; SameSite=Strict"
    assert wire.cookie("LtpaToken2", "x", secure=True).endswith("; Secure")


def test_settings_are_read_and_every_problem_is_named():
    """Booleans are 1/0, true/false, on/off, and what is wrong stops the start with the variable's name."""
    wrong = {
        "MQMFT_SECURITY": "maybe",
        "MQMFT_LIMIT_MAX": "0",
        "MQMFT_CSRF_STATUS": "404",
        "MQMFT_CACHE_RESET_ON_START": "yes",
        "MQMFT_STARTED_AT": "-1",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(wrong)
    assert {line.split(":")[0].split(" ")[0] for line in caught.value.problems} == {*wrong, "MQMFT_DATABASE_URL"}
    good = Settings.from_env({"MQMFT_DATABASE_URL": "sqlite:////x", "MQMFT_CORS_ORIGINS": "a, b"})
    assert (good.security, good.cors_origins, good.token_cookie) == (True, ("a", "b"), "LtpaToken2")


@pytest.mark.parametrize("word", ["off", "0", "False"])
def test_24_security_is_switched_off_where_only_this_machine_reaches_the_hub(word):
    """Item 24: each process of the service refuses to start otherwise, and the demonstration counts as this machine."""
    environ = {"MQMFT_DATABASE_URL": "sqlite:////x", "MQMFT_SECURITY": word}
    for more in ({}, {"GATEWAY_LOOPBACK_ONLY": "0", "MFT_DEMO": "0"}):
        with pytest.raises(SettingsError, match="MQMFT_SECURITY=off"):
            Settings.from_env({**environ, **more}).require_security()
    for name in ("GATEWAY_LOOPBACK_ONLY", "MFT_DEMO"):
        settings = Settings.from_env({**environ, name: "1"})
        settings.require_security()
        assert not settings.security
