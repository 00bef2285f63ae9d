import re
import uuid
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.transfer.steps.sealed import NotAuthentic
from mft_common.xml import DECLARATION
from sertainty_svc.domain.ids import IdUnusable, NotForThisId, NotForThisMachine, RuleBreached
from sertainty_svc.operations.protection.issuing import new_id
from sertainty_svc.operations.protection.opening import check_unchanged, usable_for_protect
from sertainty_svc.schemas.ids import binding, read_id, read_uid
from sertainty_svc.schemas.machines import read_fingerprints, to_fingerprint
from sertainty_svc.schemas.presets import SHIPPED
from tests.unit.sertainty_svc.made_ids import FILE_KEY, NOW, Host, edited, issued, protected

CLOSED = (IdUnusable, NotForThisMachine)
PLAIN = SHIPPED["Unrestricted"]


@pytest.mark.parametrize("kem", ["x25519", "mlkem768-x25519"])
def test_100_an_id_opens_on_each_of_its_machines_and_on_no_other(kem):
    """Item 100: the private key comes back from any wrap of the ID, whatever the algorithm of its own key."""
    a, b, stranger = Host(), Host(), Host()
    contents = issued(a, b, kem=kem)
    file = protected(contents)
    assert a.open(contents, *file) == b.open(contents, *file) == FILE_KEY
    with pytest.raises(NotForThisMachine):
        stranger.open(contents, *file)


def test_100_the_document_has_the_shape_of_the_format_and_no_secret():
    """Item 100: elements in their order, with their types, and a wrap for each machine by its device id."""
    a, b = Host(), Host()
    root = ET.fromstring(issued(a, b, preset="Hardware bound"))
    definition, wraps = root
    assert (root.tag, root.attrib, definition.tag, wraps.tag) == ("ID", {"version": "1"}, "Definition", "Wraps")
    assert [(child.tag, child.get("type")) for child in definition] == [
        ("Created", "date"), ("Preset", "string"), ("Rules", None), ("Key", "string"), ("Machines", None),
    ]  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", definition.findtext("Created"))
    assert definition.get("name") == "edge.iic"
    assert uuid.UUID(definition.get("id")).version == 4
    assert [machine.find("Device").get("id") for machine in definition.find("Machines")] == [a.machine.id, b.machine.id]
    assert [wrap.get("machine") for wrap in wraps] == [a.machine.id, b.machine.id]


def test_100_two_ids_share_neither_key_nor_uuid_nor_wrap():
    """Item 100: each ID has a key pair of its own, and a file of one does not open by the other."""
    host = Host()
    one, other = issued(host), issued(host)
    texts = [set(re.findall(rb">([A-Za-z0-9+/=]{40,})<", contents)) for contents in (one, other)]
    public = re.search(rb"<PublicKey[^>]*>([^<]+)<", one)[1]
    assert texts[0] & texts[1] == {public}
    with pytest.raises(NotForThisId):
        host.open(other, *protected(one))


def test_100_a_changed_header_or_wrapped_key_does_not_open():
    """Items 96 and 100: neither the wrapped key of another file nor one with a flipped bit."""
    host = Host()
    contents = issued(host)
    header, wrapped = protected(contents)
    for wrong in (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), protected(contents)[1][:-1], b""):
        with pytest.raises(NotAuthentic):
            host.open(contents, header, wrong)


EDITS = {
    "rule": ("Definition/Rules", lambda rules: rules.remove(rules[0])),
    "preset": ("Definition/Preset", lambda preset: setattr(preset, "text", "Unrestricted")),
    "created": ("Definition/Created", lambda created: setattr(created, "text", "2001-01-01T00:00:00Z")),
    "uid": ("Definition", lambda definition: definition.set("id", str(uuid.uuid4()))),
    "name": ("Definition", lambda definition: definition.set("name", "other.iic")),
    "unknown element": ("Definition", lambda definition: ET.SubElement(definition, "New")),
    "unknown attribute": ("Definition/Machines", lambda machines: machines.set("new", "1")),
    "white space": ("Definition", lambda definition: setattr(definition, "text", " ")),
    "machine removed": ("Definition/Machines", lambda machines: machines.remove(machines[1])),
    "order of machines": ("Definition/Machines", lambda machines: machines.insert(0, machines[1])),
    "machine's name": ("Definition/Machines/Configuration/Device/MachineName", lambda n: setattr(n, "text", "x")),
    "machine's uuid": ("Definition/Machines/Configuration/Device/MachineUUID", lambda n: setattr(n, "text", "x")),
}


@pytest.mark.parametrize("edit", EDITS)
def test_100_an_edited_definition_opens_nothing(edit):
    """Item 100: rules, machines, key and everything else of the definition are bound to the wraps."""
    a, b = Host(), Host()
    contents = issued(a, b, preset="Expires in 30 days")
    file = protected(contents)
    assert a.open(edited(contents, "Wraps", list), *file) == FILE_KEY
    changed = edited(contents, *EDITS[edit])
    with pytest.raises(CLOSED):
        a.open(changed, *protected(changed))


def test_100_a_machine_that_is_added_to_an_id_cannot_open_it():
    """Item 100: neither with a copy of a wrap under its own id, nor with a wrap of another ID."""
    owner, thief = Host(), Host()
    contents, own = issued(owner), issued(thief)
    file = protected(contents)

    def add(root):
        machine = ET.fromstring(to_fingerprint(thief.machine))
        root.find("Definition/Machines").append(machine)
        for source in (contents, own):
            wrap = ET.fromstring(source).find("Wraps/Wrap")
            wrap.set("machine", thief.machine.id)
            root.find("Wraps").append(wrap)
            yield ET.tostring(root)
            root.find("Wraps").remove(wrap)

    for changed in add(ET.fromstring(contents)):
        with pytest.raises(NotForThisMachine):
            thief.open(changed, *file)


def test_100_wraps_that_change_places_open_nothing():
    """Item 100: a wrap belongs to one machine, also between two machines of one ID."""
    a, b = Host(), Host()

    def swap(wraps):
        one, other = (wrap.get("machine") for wrap in wraps)
        wraps[0].set("machine", other)
        wraps[1].set("machine", one)

    contents = issued(a, b)
    changed = edited(contents, "Wraps", swap)
    for host in (a, b):
        with pytest.raises(NotForThisMachine):
            host.open(changed, *protected(contents))


def test_100_a_flipped_bit_in_definition_or_wraps_opens_nothing():
    """Item 100: each byte of both elements in turn; a document that still opens would be another form of the same."""
    host = Host()
    contents = issued(host, preset="Hardware bound")
    header, wrapped = protected(contents)
    begin, end = contents.index(b"<Definition"), contents.rindex(b"</Wraps>")
    assert host.open(contents, header, wrapped) == FILE_KEY
    for place in range(begin, end):
        changed = bytearray(contents)
        changed[place] ^= 1 << (place % 7)
        with pytest.raises((*CLOSED, NotForThisId, RuleBreached)):
            host.open(bytes(changed), header, wrapped)


@pytest.mark.parametrize(
    "contents",
    [
        b"", b"no XML", b"<ID/>", b'<ID version="2"/>', b'<ID version="1"/>', bytes(range(256)),
        b'<!DOCTYPE ID><ID version="1"/>', b"<Tasks/>",
    ],
)  # fmt: skip
def test_89_contents_that_are_no_id_cannot_be_used(contents):
    """Items 47 and 89: they may be saved, and protect nothing."""
    assert read_uid(contents) == ""
    with pytest.raises(IdUnusable):
        usable_for_protect(contents, NOW)


def test_89_an_id_without_a_machine_that_could_open_it_protects_nothing():
    """Item 89: no machine with a public key, or none that has a wrap."""
    machine = read_fingerprints(["<Configuration><Device id='d' name='n'/></Configuration>"])
    keyless = new_id("x", machine, PLAIN, kem="x25519", now_ms=NOW)[1]
    assert ET.fromstring(keyless).find("Wraps/Wrap") is None
    stripped = edited(issued(Host()), "Wraps", lambda wraps: wraps.clear())
    for contents in (keyless, stripped):
        assert read_uid(contents)
        with pytest.raises(IdUnusable, match="no machine with a public key"):
            usable_for_protect(contents, NOW)


def test_89_a_machine_that_is_not_in_the_id_can_protect_with_it():
    """Item 89: protecting needs the ID alone; the key is the ID's own."""
    contents = issued(Host())
    recipient = usable_for_protect(contents, NOW)
    definition = read_id(contents).definition
    assert (recipient.uid, recipient.public_key) == (uuid.UUID(definition.uid).bytes, definition.public_key)
    assert read_uid(contents) == definition.uid


def test_100_a_key_of_no_use_gets_no_wrap():
    """Item 99: a point of small order leads to no shared secret; the other machines get theirs."""
    weak, host = Host().machine, Host()
    weak = type(weak)(**{**vars(weak), "public_key": bytes(32)})
    contents = new_id("x", [weak, host.machine], PLAIN, kem="x25519", now_ms=NOW)[1]
    assert [wrap.get("machine") for wrap in ET.fromstring(contents).iter("Wrap")] == [host.machine.id]
    assert host.open(contents, *protected(contents)) == FILE_KEY


def test_100_the_binding_is_that_of_canonical_xml():
    """Item 100: the same for other quotes, order of attributes and forms of empty elements, and the ID still opens."""
    host = Host()
    contents = issued(host)
    root = ET.fromstring(contents)
    definition = root.find("Definition")
    uid, name = definition.get("id"), definition.get("name")
    other = contents.replace(
        f'<Definition id="{uid}" name="{name}">'.encode(), f"<Definition  name='{name}'\n id='{uid}' >".encode()
    ).replace(b"<Rules></Rules>", b"<Rules/>")
    assert other.count(b"<Rules/>") == 1
    assert binding(definition) == binding(ET.fromstring(other).find("Definition"))
    assert host.open(other, *protected(contents)) == FILE_KEY


def test_100_comments_change_nothing_and_processing_instructions_are_refused():
    """Item 100: Canonical XML leaves comments out, and would keep the instructions that the parser passes over."""
    host = Host()
    contents = issued(host)
    file = protected(contents)
    for text in (b"<!-- a comment -->", b"<?an instruction?>", b"<?xml-like instruction?>"):
        for place in (contents.index(b"<Created"), contents.index(b"<Wraps")):
            changed = contents[:place] + text + contents[place:]
            if text.startswith(b"<!"):
                assert host.open(changed, *file) == FILE_KEY
                continue
            with pytest.raises(IdUnusable, match="instructions"):
                host.open(changed, *file)
    plain = contents.removeprefix(DECLARATION)
    assert host.open(plain, *file) == host.open(b"\xef\xbb\xbf" + contents, *file) == FILE_KEY
    assert host.open(contents.replace(b"<?xml ", b"<?xml\n", 1), *file) == FILE_KEY
    with pytest.raises(IdUnusable, match="instructions"):
        host.open(b"<?xml-like?>" + plain, *file)


def test_89_100_an_id_of_this_machine_that_was_changed_protects_nothing():
    """Items 89 and 100: a wrap that does not open, and a machine whose wrap was taken away; others cannot tell."""
    a, b = Host(), Host()
    contents = issued(a, b)
    check_unchanged(contents, a.key)
    changed = edited(contents, "Definition/Preset", lambda preset: setattr(preset, "text", "Other"))
    for document in (changed, edited(contents, "Wraps", lambda wraps: wraps.remove(wraps[0]))):
        with pytest.raises(IdUnusable, match="changed after it was made"):
            check_unchanged(document, a.key)
        check_unchanged(document, Host().key)


@given(st.text(max_size=50), st.text(max_size=50))
def test_100_an_id_opens_whatever_its_machines_are_called(name, version):
    """Item 100: texts that XML cannot hold as they are change nothing."""
    host = Host()
    machine = type(host.machine)(**{**vars(host.machine), "machine_name": name, "name": name, "os_version": version})
    contents = new_id("x", [machine], PLAIN, kem="x25519", now_ms=NOW)[1]
    assert host.open(contents, *protected(contents)) == FILE_KEY
