"""Hubs that exchange fingerprint, ID and file: what one protects for another opens there, and nowhere else (100)."""

from xml.etree import ElementTree as ET

import pytest

from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed import Metadata, Seal, Unseal
from sertainty_svc.domain.ids import IdUnusable, NotForThisMachine, RuleBreached
from sertainty_svc.operations.protection import host_key
from sertainty_svc.operations.protection.host_key import HostKey
from sertainty_svc.operations.protection.machine import machine_uuid
from sertainty_svc.operations.protection.opening import opener, usable_for_protect
from tests.service.sertainty_svc.protector import Hub

CONTENT = bytes(range(256)) * 700


class Machine(Hub):
    """A hub with a session, which protects and unprotects by the IDs that its functions give."""

    def __init__(self, folder):
        folder.mkdir()
        super().__init__(folder)
        self.session = self.login()

    def ask(self, function, *arguments):
        """Call a function that succeeds, and return its first result, if any."""
        reply = self.call(function, *arguments, session=self.session)
        assert reply.status == 1
        return reply.contents and reply.contents[0]

    def protect(self, name):
        """Return a protected file, made by the shared ID of that name."""
        recipient = usable_for_protect(self.ask("sharedGetID", name), self.now)
        metadata = Metadata("crate.bin", len(CONTENT), 1_700_000_000_123_456_789, self.now)
        step = Seal(recipient.uid, Suite(recipient.suite), recipient.public_key, metadata)
        return through(step, CONTENT)

    def unprotect(self, name, file):
        """Return the content of a protected file, opened by the shared ID of that name."""
        key = HostKey.load(host_key.location(self.service.settings, self.service.section))
        contents = self.ask("sharedGetID", name)
        return through(Unseal(opener(contents, key, machine_uuid(self.service.settings.state), self.now)), file)


def through(step, content):
    """Return what a step makes of a content."""
    blocks = [bytes(block) for block in step.feed(memoryview(content))]
    return b"".join([*blocks, *(bytes(block) for block in step.finish())])


@pytest.fixture
def hubs(tmp_path):
    """Three hubs on data folders of their own."""
    made = [Machine(tmp_path / name) for name in "abc"]
    yield made
    for hub in made:
        hub.service.close()


@pytest.mark.parametrize("preset", ["Unrestricted", "Hardware bound"])
def test_100_what_a_protects_with_the_fingerprint_of_b_opens_on_b_and_on_no_third(hubs, preset):
    """Item 100: the exchange, step by step; the source itself is not in the ID and cannot open the file either."""
    a, b, c = hubs
    a.ask("sharedNewID", "b.iic", b.ask("hostGetMachine"), ("preset-name", preset))
    file = a.protect("b.iic")
    contents = a.ask("sharedGetID", "b.iic")
    for hub in (b, c):
        hub.ask("sharedSaveID", "b.iic", contents)
    assert b.unprotect("b.iic", file) == CONTENT
    for hub in (a, c):
        with pytest.raises(NotForThisMachine):
            hub.unprotect("b.iic", file)


def test_100_an_id_for_several_machines_opens_on_each(hubs):
    """Item 100: own machine and another one, named explicitly; the third may protect and not open."""
    a, b, c = hubs
    a.ask("sharedNewID", "ab.iic", a.ask("hostGetMachine"), b.ask("hostGetMachine"))
    contents = a.ask("sharedGetID", "ab.iic")
    for hub in (b, c):
        hub.ask("sharedSaveID", "ab.iic", contents)
    file = c.protect("ab.iic")
    assert a.unprotect("ab.iic", file) == b.unprotect("ab.iic", file) == CONTENT
    with pytest.raises(NotForThisMachine):
        c.unprotect("ab.iic", file)


def test_100_an_id_that_was_changed_on_its_way_opens_nothing(hubs):
    """Item 100: a rule taken out, a wrap of another ID put in, a byte of a wrap changed; the original still opens."""
    a, b, _ = hubs
    fingerprint = b.ask("hostGetMachine")
    a.ask("sharedNewID", "bound", fingerprint, ("preset-name", "Expires in 30 days"))
    a.ask("sharedNewID", "other", fingerprint)
    file = a.protect("bound")
    original = a.ask("sharedGetID", "bound")

    def without_rules(root):
        root.find("Definition/Rules").clear()

    def moved_wrap(root):
        other = ET.fromstring(a.ask("sharedGetID", "other"))
        root.find("Wraps/Wrap").text = other.findtext("Wraps/Wrap")

    def flipped(root):
        wrap = root.find("Wraps/Wrap")
        wrap.text = ("B" if wrap.text[0] == "A" else "A") + wrap.text[1:]

    for change in (without_rules, moved_wrap, flipped):
        root = ET.fromstring(original)
        change(root)
        b.ask("sharedSaveID", "changed", ET.tostring(root))
        with pytest.raises(NotForThisMachine):
            b.unprotect("changed", file)
    b.ask("sharedSaveID", "changed", original)
    assert b.unprotect("changed", file) == CONTENT


def test_101_an_id_expires_on_every_hub(hubs):
    """Item 101: by the clock of the hub that uses it."""
    a, b, _ = hubs
    a.ask("sharedNewID", "n", b.ask("hostGetMachine"), ("preset-name", "Expires in 30 days"))
    file = a.protect("n")
    b.ask("sharedSaveID", "n", a.ask("sharedGetID", "n"))
    b.now += 31 * 86_400_000
    with pytest.raises(RuleBreached, match="Expiration"):
        b.unprotect("n", file)
    with pytest.raises(RuleBreached, match="Expiration"):
        b.protect("n")


def test_47_contents_that_are_no_id_are_saved_and_fail_where_they_are_used(hubs):
    """Item 47: checked when a task uses it."""
    a, _, _ = hubs
    a.ask("sharedSaveID", "n", b"\xff\x00 no ID")
    with pytest.raises(IdUnusable):
        a.protect("n")
