"""Fingerprints, new IDs and presets by their functions (46, 51, 55 to 57, 99, 100)."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import pytest

from tests.service.sertainty_svc.protector import Hub

FINGERPRINT = "<Configuration><Device id='d' name='n'/></Configuration>"


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


def test_46_109_too_many_machines_cost_no_encryption_for_each(filled):
    """Items 46 and 109: a call lasts at most 5 s, so that is seen before a key is wrapped for tens of thousands."""
    hub, session = filled
    key = base64.b64encode(bytes(31) + b"\x09").decode()
    device = f"<PublicKey algorithm='X25519'>{key}</PublicKey>"
    many = "".join(f"<Device id='{n}'>{device}</Device>" for n in range(20_000))
    began = time.process_time()
    reply = hub.call("sharedNewID", "n", f"<Configuration>{many}</Configuration>", session=session)
    assert (reply.status, "bytes" in reply.detail) == (408, True)
    assert time.process_time() - began < 5


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
