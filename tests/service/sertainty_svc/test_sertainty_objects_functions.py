"""The functions of IDs, presets and scripts, by the table of functions: each status code of each of them."""

import json
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa

from sertainty_svc.domain.functions import FUNCTIONS
from sertainty_svc.store import objects, tables
from tests.service.sertainty_svc.protector import BYTES, b64

FINGERPRINT = "<Configuration><Device id='d' name='n'/></Configuration>"
OWN = {
    *("configGetID", "configNewID", "configSaveID", "sharedGetID", "sharedNewID", "sharedSaveID", "hostGetMachine"),
    *("configGetScript", "configSaveScript", "sharedGetScript", "sharedSaveScript"),
    *("sharedGetPreset", "sharedGetPresetList"),
}
TABLE = [function for function in FUNCTIONS if function.name in OWN]
# The names that lead to something that exists, and those of functions that need a name which does not.
VALUES = {"config-name": "night", "id-name": "a.iic", "script-name": "a.py", "preset-name": "Unrestricted"}
CONTENTS = {"id-contents": BYTES, "script-contents": BYTES}


def by_name(function):
    return function.name


def good(function):
    """Return arguments with which a function succeeds on a hub of `filled`."""
    new = {"id-name": "new.iic"} if "New" in function.name else {}
    return [(name, {**VALUES, **CONTENTS, **new}[name]) for name in function.singles]


@pytest.mark.parametrize("function", TABLE, ids=by_name)
def test_41_59_each_function_succeeds_with_its_arguments_named_and_in_their_order(filled, function):
    """Items 41 to 59: status 1, and as many results as the table has."""
    hub, session = filled
    named = good(function)
    reply = hub.call(function.name, *reversed(named), session=session)
    assert (reply.status, reply.message) == (1, "Success")
    if not function.results:
        assert reply.results is None
    elif not function.results[-1].endswith("*"):
        assert len(reply.results) == len(function.results)
    if "New" not in function.name:
        assert hub.call(function.name, *(value for _, value in named), session=session).status == 1


@pytest.mark.parametrize("function", TABLE, ids=by_name)
def test_41_59_without_a_session_or_right_nothing_is_told(filled, function):
    """Items 13, 19, 29: no session, an unknown one, one that may only read; also with arguments of a wrong form."""
    hub, session = filled
    reader = hub.login("reader")
    for arguments in (good(function), [], ["a/b"] * 5):
        for caller in (None, "x" * 43, session[:-1]):
            reply = hub.call(function.name, *arguments, session=caller)
            assert (reply.status, reply.message, reply.results) == (3, "Denied", None)
    assert (hub.call(function.name, *good(function), session=reader).status == 3) is ("Get" not in function.name)


@pytest.mark.parametrize("function", TABLE, ids=by_name)
def test_41_59_a_wrong_count_a_name_of_a_wrong_form_and_no_base64_are_408(filled, function):
    """Items 6, 8, 9, 17: one argument too many and too few, names that are none, text that is not UTF-8."""
    hub, session = filled
    arguments = good(function)

    def status(*changed):
        return hub.call(function.name, *changed, session=session).status

    assert status(*arguments, *(["more"] if function.repeated is None else [("id-name", "again")])) == 408
    for place, (name, value) in enumerate(arguments):
        others = arguments[:place] + arguments[place + 1 :]
        assert status(*others) == 408
        assert status(*arguments, (name, value)) == 408
        if name not in CONTENTS:
            assert status(*others, (name, "a/b")) == status(*others, (name, b"\xff")) == 408
        body = "".join(f'<Argument name="{one}">{b64(text)}</Argument>' for one, text in others)
        document = (
            f"<Request><Session>{session}</Session><Function>{function.name}</Function><ArgList>{body}"
            f'<Argument name="{name}">%%%</Argument></ArgList></Request>'
        )
        assert b"<Status>408</Status>" in hub.send(document.encode()).data


@pytest.mark.parametrize("function", [one for one in TABLE if one.singles], ids=by_name)
def test_16_what_is_not_there_is_213(filled, function):
    """Item 16: the configuration in every function, the object where it is read; names are compared exactly."""
    hub, session = filled
    for name, value in good(function):
        read = name == "config-name" or ("Get" in function.name and name != "config-name")
        for other in ("missing", value.swapcase()) if read else ():
            arguments = [(each, other if each == name else text) for each, text in good(function)]
            reply = hub.call(function.name, *arguments, session=session)
            assert (reply.status, reply.message, reply.results) == (213, "File not found", None)


@pytest.mark.parametrize("function", [one for one in TABLE if "New" in one.name], ids=by_name)
def test_46_57_a_name_that_exists_is_232_and_stays_as_it_was(filled, function):
    """Items 16, 46, 57: one that was made, and one that was saved."""
    hub, session = filled
    scope = [VALUES[name] for name in function.singles if name == "config-name"]
    get = function.name.replace("New", "Get")
    assert hub.call(function.name, *scope, "b.iic", session=session).status == 1
    for name in ("a.iic", "b.iic"):
        (before,) = hub.call(get, *scope, name, session=session).contents
        reply = hub.call(function.name, *scope, name, session=session)
        assert (reply.status, reply.message) == (232, "File already exists")
        assert hub.call(get, *scope, name, session=session).contents == [before]


@pytest.mark.parametrize("function", [one for one in TABLE if "Save" in one.name], ids=by_name)
def test_47_48_any_bytes_are_saved_over_the_former_up_to_a_limit(filled, function):
    """Items 16, 47, 48, 77: empty, binary and the largest contents come back; one byte more is 408."""
    hub, session = filled
    scope = [VALUES[name] for name in function.singles[:-1]]
    limit = {"id-contents": 1 << 20, "script-contents": 4 << 20}[function.singles[-1]]
    for contents in (b"x" * limit, b"", BYTES):
        assert hub.call(function.name, *scope, contents, session=session).status == 1
        read = hub.call(function.name.replace("Save", "Get"), *scope, session=session)
        assert read.contents == [contents]
    reply = hub.call(function.name, *scope, b"x" * (limit + 1), session=session)
    assert (reply.status, reply.detail) == (408, f"the argument {function.singles[-1]} has more than {limit} bytes")


def test_41_43_a_configuration_has_only_its_own(filled):
    """Items 41, 43: a shared ID or script is not read through a configuration, nor the other way."""
    hub, session = filled
    hub.add_configuration("day")
    for kind, name in (("ID", "a.iic"), ("Script", "a.py")):
        assert hub.call(f"configGet{kind}", "day", name, session=session).status == 213
        assert hub.call(f"configSave{kind}", "day", "own", b"day's", session=session).status == 1
        assert hub.call(f"sharedGet{kind}", "own", session=session).status == 213
        assert hub.call(f"configGet{kind}", "night", "own", session=session).status == 213
        assert hub.call(f"configGet{kind}", "day", "own", session=session).contents == [b"day's"]


def test_109_a_full_configuration_is_502_for_new_names_alone(filled, monkeypatch):
    """Item 109: a sentence; the others have room of their own."""
    hub, session = filled
    monkeypatch.setattr(objects, "MAX_OBJECTS", 2)
    for function, arguments in (
        ("configSaveID", ("b", b"")), ("configSaveScript", ("b", b"")), ("configNewID", ("b", FINGERPRINT)),
    ):  # fmt: skip
        reply = hub.call(function, "night", *arguments, session=session)
        assert (reply.status, reply.message.endswith(".")) == (502, True)
    assert hub.call("configSaveID", "night", "a.iic", b"", session=session).status == 1
    hub.add_configuration("day")
    assert hub.call("configSaveID", "day", "b", b"", session=session).status == 1


def test_28_no_contents_and_no_key_reach_the_log(hub, log, tmp_path):
    """Item 28: neither the host key, nor scripts, nor what an ID holds."""
    session = hub.login()
    hub.call("sharedSaveScript", "s", "secret script", session=session)
    hub.call("sharedNewID", "n", session=session)
    hub.call("sharedNewID", "n", "<secret/>", session=session)
    (contents,) = hub.call("sharedGetID", "n", session=session).results
    wrap = ET.fromstring(contents).findtext("Wraps/Wrap")
    key = (tmp_path / "data/state/sertainty-svc/host.key").read_text().splitlines()[1]
    shown = log.getvalue()
    assert "call.rejected" in shown
    assert not [word for word in (wrap, key, "secret script", b64("secret script"), "<secret/>") if word in shown]


def test_74_each_change_is_an_entry_of_the_agents_log(hub):
    """Item 74: with user, address and configuration, in the transaction of the change; a call that fails is none."""
    hub.add_configuration("night")
    session = hub.login()
    for function, arguments in (
        ("configNewID", ("night", "n")), ("configNewID", ("night", "n")), ("sharedSaveID", ("n", b"")),
        ("configSaveScript", ("night", "s", b"")), ("configSaveScript", ("day", "s", b"")), ("sharedGetID", ("n",)),
    ):  # fmt: skip
        hub.call(function, *arguments, session=session)
    records = tables.AGENT_LOG.records
    with hub.service.database.read() as connection:
        texts = connection.execute(sa.select(records.c.text).order_by(records.c.id)).scalars().all()
    found = [entry for entry in map(json.loads, texts) if entry["event"].startswith(("id.", "script."))]
    assert [(entry["event"], entry["text"], entry.get("config")) for entry in found] == [
        ("id.created", "The ID n was created.", "night"),
        ("id.saved", "The shared ID n was saved.", None),
        ("script.saved", "The script s was saved.", "night"),
    ]
    assert {(entry["user"], entry["address"]) for entry in found} == {("operator", "10.0.0.9")}
