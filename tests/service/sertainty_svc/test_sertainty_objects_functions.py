"""The functions of IDs, presets and scripts, by the table of functions: each status code of each of them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import pytest

from sertainty_svc.domain.functions import FUNCTIONS
from sertainty_svc.store import objects
from tests.service.sertainty_svc.protector import Hub, b64

FINGERPRINT = "<Configuration><Device id='d' name='n'/></Configuration>"
BYTES = bytes(range(256)) + b"\r\n\x00"
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


@pytest.fixture
def filled(hub):
    """A hub with the configuration `night`, and an ID and a script in it and among the shared ones; and a session."""
    hub.add_configuration("night")
    session = hub.login()
    for scope in ((), ("night",)):
        prefix = "config" if scope else "shared"
        assert hub.call(f"{prefix}SaveID", *scope, "a.iic", BYTES, session=session).status == 1
        assert hub.call(f"{prefix}SaveScript", *scope, "a.py", BYTES, session=session).status == 1
    return hub, session


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


def test_51_the_fingerprint_is_the_same_in_every_call_and_after_a_restart(tmp_path):
    """Items 51 and 99: and that of a hub with another data folder is another one."""
    found = []
    for folder in ("a", "a", "b"):
        (tmp_path / folder).mkdir(exist_ok=True)
        hub = Hub(tmp_path / folder)
        session = hub.login()
        one, again = (hub.call("hostGetMachine", session=session).contents[0] for _ in range(2))
        assert one == again
        found.append(ET.fromstring(one).find("Device").get("id"))
        hub.service.close()
    assert found[0] == found[1] != found[2]


def test_51_a_host_key_that_cannot_be_read_is_502_without_its_path(hub, tmp_path):
    """Item 15: a sentence; nothing takes the place of the key."""
    session = hub.login()
    path = tmp_path / "data/state/sertainty-svc/host.key"
    path.write_bytes(b"junk")
    for reply in (hub.call("hostGetMachine", session=session), hub.call("sharedNewID", "n", session=session)):
        assert reply.status == 502
        assert "host.key" not in reply.message
    assert path.read_bytes() == b"junk"
    assert hub.call("sharedNewID", "n", FINGERPRINT, session=session).status == 1


def test_46_without_a_fingerprint_this_machine_with_some_exactly_those(filled):
    """Items 46, 57, 100: a second Device of the same id is taken once."""
    hub, session = filled
    (own,) = hub.call("hostGetMachine", session=session).results
    own_id = ET.fromstring(own).find("Device").get("id")

    def devices(*fingerprints):
        name = f"{len(fingerprints)}.iic"
        assert hub.call("configNewID", "night", name, *fingerprints, session=session).status == 1
        root = ET.fromstring(hub.call("configGetID", "night", name, session=session).contents[0])
        wraps = [wrap.get("machine") for wrap in root.iter("Wrap")]
        return [device.get("id") for device in root.iter("Device")], wraps

    assert devices() == ([own_id], [own_id])
    assert devices(FINGERPRINT) == (["d"], [])
    assert devices(own, ("machine-fingerprint", FINGERPRINT), own, FINGERPRINT) == (["d", own_id], [own_id])


@pytest.mark.parametrize("fingerprint", ["", "x", "<Configuration/>", "<Device/>", "<!DOCTYPE a><Configuration/>"])
def test_46_57_99_what_is_no_fingerprint_is_408(filled, fingerprint):
    """Items 46, 57, 99: and nothing is made; form comes before existence."""
    hub, session = filled
    for scope, prefix in ((["night"], "config"), ([], "shared"), (["missing"], "config")):
        reply = hub.call(f"{prefix}NewID", *scope, "n.iic", FINGERPRINT, fingerprint, session=session)
        assert reply.status == 408
        assert "machine-fingerprint" in reply.detail
    assert hub.call("sharedGetID", "n.iic", session=session).status == 213


def test_46_more_machines_than_an_id_may_hold_are_408(filled):
    """Items 46 and 47: an ID that no other hub could save is not made."""
    hub, session = filled
    many = "<Configuration>" + "".join(f"<Device id='{n}'/>" for n in range(4000)) + "</Configuration>"
    reply = hub.call("sharedNewID", "n", many, session=session)
    assert (reply.status, "bytes" in reply.detail) == (408, True)


def test_100_an_argument_of_ours_names_the_preset_of_a_new_id(filled):
    """Item 100: by name or as a document, by its own name alone; without it the setting's."""
    hub, session = filled
    rule = '<Rule name="GeneralSetup"><ExpirationDays>1</ExpirationDays></Rule>'
    edited = f'<Preset name="Mine"><Rules>{rule}</Rules></Preset>'
    for name, argument, preset, rules in (
        ("1", ("preset-name", "Hardware bound"), "Hardware bound", ["HardwareDeny", "ScheduleDeny"]),
        ("2", ("prset-name", "Expires in 30 days"), "Expires in 30 days", ["Expiration"]),
        ("3", ("preset-contents", edited), "Mine", ["Expiration"]),
        ("4", ("label", FINGERPRINT), "Unrestricted", []),
    ):
        assert hub.call("configNewID", "night", name, argument, session=session).status == 1
        root = ET.fromstring(hub.call("configGetID", "night", name, session=session).contents[0])
        assert root.findtext("Definition/Preset") == preset
        assert [leaf.tag for leaf in root.find("Definition/Rules").iter() if leaf.get("type")] == rules


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([("preset-name", "Missing")], 213),
        ([("preset-name", "a/b")], 408),
        ([("preset-contents", "<Preset/>")], 408),
        ([("preset-contents", '<Preset name="a"><Rules><Rule name="New"/></Rules></Preset>')], 408),
        ([("preset-name", "Unrestricted")] * 2, 408),
        ([("preset-name", "Unrestricted"), ("preset-contents", '<Preset name="a"><Rules/></Preset>')], 408),
    ],
)
def test_100_a_preset_that_cannot_be_applied_makes_no_id(filled, arguments, status):
    """Item 100: unknown: 213; of a wrong form, with rules that are not enforced, or two: 408."""
    hub, session = filled
    for scope, prefix in ((["night"], "config"), ([], "shared")):
        assert hub.call(f"{prefix}NewID", *scope, "n", *arguments, session=session).status == status
        assert hub.call(f"{prefix}GetID", *scope, "n", session=session).status == 213


def test_100_other_functions_do_not_know_the_arguments_of_ours(filled):
    """Items 7 and 8: there they are labels, and one argument too many."""
    hub, session = filled
    assert hub.call("sharedGetID", ("preset-name", "a.iic"), session=session).status == 1
    assert hub.call("sharedGetID", "a.iic", ("preset-name", "Unrestricted"), session=session).status == 408


def test_55_56_presets_are_listed_in_their_order_and_come_as_they_are(tmp_path):
    """Items 55, 56, 102: those of the hub and of the configured folder; the setting is the default of new IDs."""
    (tmp_path / "p").mkdir()
    document = b'<?xml version="1.0"?>\n<Preset name="Alpha"><Rules/><!-- ours --></Preset>\r\n'
    (tmp_path / "p/a.xml").write_bytes(document)
    section = {"presets": str(tmp_path / "p"), "new_id_preset": "Alpha", "kem": "mlkem768-x25519"}
    hub = Hub(tmp_path, {"data_protector": section})
    session = hub.login()
    names = ["Alpha", "Business hours", "Expires in 30 days", "Hardware bound", "Unrestricted"]
    assert hub.call("sharedGetPresetList", session=session).results == names
    assert hub.call("sharedGetPreset", "Alpha", session=session).contents == [document]
    for name in names[1:]:
        (contents,) = hub.call("sharedGetPreset", ("prset-name", name), session=session).contents
        assert ET.fromstring(contents).get("name") == name
    assert hub.call("sharedNewID", "n", session=session).status == 1
    root = ET.fromstring(hub.call("sharedGetID", "n", session=session).contents[0])
    assert root.findtext("Definition/Preset") == "Alpha"
    assert root.find("Definition/Key").get("algorithm") == "MLKEM768-X25519"
    hub.service.close()


def test_30_of_eight_simultaneous_new_ids_of_one_name_one_is_made(filled):
    """Item 30: the others get 232, and the one that is there is whole."""
    hub, session = filled
    barrier = threading.Barrier(8)

    def make(_):
        barrier.wait()
        return hub.call("configNewID", "night", "race", session=session).status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(8))) == [1] + [232] * 7
    (contents,) = hub.call("configGetID", "night", "race", session=session).contents
    assert ET.fromstring(contents).tag == "ID"


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
