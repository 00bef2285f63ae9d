from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.clock import parse_iso
from mft_common.config import Reader
from mft_common.errors import ConfigError
from sertainty_svc.domain.ids import IdUnusable, NotForThisMachine, RuleBreached
from sertainty_svc.domain.rules import Rules
from sertainty_svc.domain.windows import DAYS, Edge, Window
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.operations.protection.issuing import new_id
from sertainty_svc.operations.protection.opening import usable_for_protect
from sertainty_svc.schemas.configuration import read_sections
from sertainty_svc.schemas.ids import read_id
from sertainty_svc.schemas.leaves import Leaves
from sertainty_svc.schemas.presets import SHIPPED, Preset, read_preset
from sertainty_svc.schemas.rules import read_rules, write_rules
from tests.unit.sertainty_svc.made_ids import FILE_KEY, NOW, Host, edited, issued, protected

DAY_MS = 86_400_000


def preset(rules, name="Mine"):
    """Return a document of a preset with rules as text."""
    return f'<Preset name="{name}"><Rules>{rules}</Rules></Preset>'.encode()


def made(rules, host, now=NOW):
    """Return an ID for a machine, from a preset with rules as text."""
    return new_id("x", [host.machine], read_preset(preset(rules)), kem="x25519", now_ms=now)[1]


def rule(name, leaves):
    return f'<Rule name="{name}">{leaves}</Rule>'


def test_102_four_presets_come_with_the_hub():
    """Item 102: their names and rules, as documents that read back."""
    assert sorted(SHIPPED) == ["Business hours", "Expires in 30 days", "Hardware bound", "Unrestricted"]
    for name, shipped in SHIPPED.items():
        assert read_preset(shipped.contents) == shipped
        assert ET.fromstring(shipped.contents).get("name") == name
    written = ET.fromstring(SHIPPED["Business hours"].contents)
    leaves = [leaf.tag for leaf in written.find("Rules/Rule[@name='ScheduleSetup']")]
    assert leaves[:3] == ["Enabled", "TimeZone", "DaySunday"]
    assert leaves[9:] == [
        "StartHour", "StartMinute", "EndHour", "EndMinute",
        "StartDay", "StartMonth", "StartYear", "EndDay", "EndMonth", "EndYear",
    ]  # fmt: skip
    hours = Window(days=DAYS[1:6], start=Edge(hour=8, minute=0), end=Edge(hour=18, minute=0))
    assert SHIPPED["Unrestricted"].rules == Rules()
    assert SHIPPED["Hardware bound"].rules == Rules(hardware_deny=True)
    assert SHIPPED["Business hours"].rules == Rules(schedule_deny=True, window=hours)
    assert SHIPPED["Expires in 30 days"].rules == Rules(expiration_days=30)


def test_101_after_its_expiration_an_id_protects_and_opens_nothing():
    """Item 101: the days of the preset count from when the ID is made."""
    host = Host()
    contents = issued(host, preset="Expires in 30 days")
    file = protected(contents)
    end = NOW + 30 * DAY_MS
    assert host.open(contents, *file, now=end) == FILE_KEY
    for act in (lambda: protected(contents, end + 1), lambda: host.open(contents, *file, now=end + 1)):
        with pytest.raises(RuleBreached, match="Expiration"):
            act()


def test_101_of_two_ends_the_earlier_one_counts():
    """Item 101: Expiration and ExpirationDays in one preset."""
    for end, expected in (("2026-05-29T00:00:00Z", parse_iso("2026-05-29T00:00:00Z")), ("2099-01-01T00:00:00Z", None)):
        rules = rule("GeneralSetup", f"<Expiration>{end}</Expiration><ExpirationDays>1</ExpirationDays>")
        found = read_id(made(rules, Host())).definition.rules
        assert found == Rules(expiration=expected or NOW + DAY_MS)


@pytest.mark.parametrize("expiration", ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_101_an_end_at_or_before_the_begin_of_1970_is_an_end(expiration):
    """Item 101: the moment that is 0 is not taken for none, so days beside it do not put the end off."""
    leaves = f"<Expiration>{expiration}</Expiration><ExpirationDays>30</ExpirationDays>"
    with pytest.raises(RuleBreached, match="Expiration"):
        usable_for_protect(made(rule("GeneralSetup", leaves), Host()), NOW)


@pytest.mark.parametrize(
    ("moment", "open_"),
    [("2026-06-01T08:00:00Z", True), ("2026-06-01T07:59:59Z", False), ("2026-06-05T17:59:59Z", True),
     ("2026-06-05T18:00:00Z", False), ("2026-06-06T12:00:00Z", False), ("2026-06-07T12:00:00Z", False)],
)  # fmt: skip
def test_101_outside_the_window_an_id_protects_and_opens_nothing(moment, open_):
    """Item 101: ScheduleDeny, on a Monday, a Friday and a weekend."""
    host, now = Host(), parse_iso(moment)
    contents = issued(host, preset="Business hours")
    file = protected(contents, parse_iso("2026-06-01T12:00:00Z"))
    if open_:
        assert protected(contents, now)
        assert host.open(contents, *file, now=now) == FILE_KEY
        return
    for act in (lambda: protected(contents, now), lambda: host.open(contents, *file, now=now)):
        with pytest.raises(RuleBreached, match="ScheduleDeny"):
            act()


def test_101_the_window_of_a_rule_is_that_of_its_time_zone():
    """Item 101: midnight in New York is no midnight in UTC; without ScheduleDeny the window has no effect."""
    window = "<TimeZone>America/New_York</TimeZone><StartHour>0</StartHour><EndHour>1</EndHour>"
    now = parse_iso("2026-06-01T04:30:00Z")
    for deny, later in (("true", RuleBreached), ("false", None)):
        rules = rule("RestrictionsSetup", f"<ScheduleDeny>{deny}</ScheduleDeny>") + rule("ScheduleSetup", window)
        contents = made(rules, Host())
        assert usable_for_protect(contents, now)
        if later is None:
            assert usable_for_protect(contents, now + DAY_MS // 2)
        else:
            with pytest.raises(later):
                usable_for_protect(contents, now + DAY_MS // 2)


def test_101_a_hardware_bound_id_opens_on_its_hardware_alone():
    """Item 101: the key of the machine on other hardware opens nothing; protecting is not restricted."""
    host = Host()
    contents = issued(host, preset="Hardware bound")
    file = protected(contents)
    assert host.open(contents, *file) == FILE_KEY
    moved = Host()
    moved.key = host.key
    with pytest.raises(RuleBreached, match="HardwareDeny"):
        moved.open(contents, *file)
    unbound = issued(host)
    assert moved.open(unbound, *protected(unbound)) == FILE_KEY
    with pytest.raises(NotForThisMachine):
        Host().open(contents, *file)


NOT_ENFORCED = [
    rule("DestroySetup", ""), rule("", ""), "<Other/>", rule("GeneralSetup", "<Unknown>1</Unknown>"),
    rule("RestrictionsSetup", "<GeoDeny>true</GeoDeny>"), rule("ScheduleSetup", "<Interval>60</Interval>"),
    rule("GeneralSetup", "") * 2, rule("GeneralSetup", "<Expiration>2026-01-01T00:00:00Z</Expiration>" * 2),
    rule("GeneralSetup", "<Expiration>tomorrow</Expiration>"), rule("GeneralSetup", "<Expiration/>"),
    rule("GeneralSetup", "<Expiration>2026-01-01T00:00:00</Expiration>"),
    rule("RestrictionsSetup", "<HardwareDeny>maybe</HardwareDeny>"),
    rule("RestrictionsSetup", "<HardwareDeny><x/></HardwareDeny>"),
    rule("RestrictionsSetup", "<ScheduleDeny>true</ScheduleDeny>"),
    rule("ScheduleSetup", "<TimeZone>Mars/Olympus</TimeZone>"), rule("ScheduleSetup", "<StartHour>24</StartHour>"),
]  # fmt: skip


@pytest.mark.parametrize("rules", NOT_ENFORCED)
def test_101_a_rule_that_is_not_enforced_makes_preset_and_id_unusable(rules):
    """Item 101: unknown rules and leaves, values of a wrong form, and a restriction without its window."""
    with pytest.raises(InvalidRequest):
        read_preset(preset(rules))
    parsed = ET.fromstring(f"<Rules>{rules}</Rules>")
    contents = edited(issued(Host()), "Definition/Rules", lambda element: element.extend(parsed))
    with pytest.raises(IdUnusable):
        usable_for_protect(contents, NOW)


def test_101_days_are_no_rule_of_an_id_and_an_id_without_rules_is_none():
    """Item 101: ExpirationDays without a moment would count from nowhere."""
    days = ET.fromstring(rule("GeneralSetup", "<ExpirationDays>3</ExpirationDays>"))
    for path, change in (
        ("Definition/Rules", lambda rules: rules.append(days)),
        ("Definition", lambda definition: definition.remove(definition.find("Rules"))),
    ):
        with pytest.raises(IdUnusable):
            usable_for_protect(edited(issued(Host()), path, change), NOW)


@pytest.mark.parametrize(
    "contents",
    [b"", b"<Preset/>", b'<Preset name="a"/>', b'<Presets name="a"><Rules/></Presets>', preset("", name="a/b"),
     b"<!DOCTYPE x>" + preset(""), b'<Preset name="a"><Rules/><Rules/></Preset>'],
)  # fmt: skip
def test_102_what_is_no_preset_is_refused(contents):
    """Item 102: another root, no name, a name that rule 17 forbids, no rules or two."""
    with pytest.raises(InvalidRequest):
        read_preset(contents)


EDGES = st.builds(Edge, hour=st.none() | st.integers(0, 11), minute=st.none() | st.integers(0, 59))
RULES = st.builds(
    Rules,
    expiration=st.none() | st.integers(0, 4_000_000_000).map(lambda second: second * 1000),
    expiration_days=st.none() | st.integers(1, 36_500),
    hardware_deny=st.booleans(),
    schedule_deny=st.just(value=True),
    window=st.builds(
        Window,
        enabled=st.booleans(),
        days=st.sets(st.sampled_from(DAYS), min_size=1).map(lambda days: tuple(day for day in DAYS if day in days)),
        start=EDGES,
        end=st.builds(Edge, hour=st.integers(12, 23)),
    ),
    zone=st.sampled_from(["UTC", "Europe/Amsterdam", "Pacific/Apia"]),
)


@given(RULES)
def test_101_rules_come_back_from_the_document_that_holds_them(rules):
    """Item 101: nothing is lost between a preset and the ID that is made from it."""
    root = ET.Element("Preset")
    write_rules(root, rules)
    assert read_rules(Leaves(ET.fromstring(ET.tostring(root)), "Preset")) == rules


def read(folder, **section):
    """Read a section of crossdock.yaml whose file lies in a folder."""
    return read_sections({"data_protector": section}, Reader(folder, {}, data=folder / "data"))


def test_102_presets_of_the_configured_folder_stand_beside_those_of_the_hub(tmp_path):
    """Item 102: relative to the configuration, byte for byte; other files are passed over."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/quarter.xml").write_bytes(preset(rule("GeneralSetup", "<ExpirationDays>90</ExpirationDays>"), "90"))
    (tmp_path / "p/notes.txt").write_text("x")
    section = read(tmp_path, presets="p", new_id_preset="90")
    assert section.presets.keys() - SHIPPED.keys() == {"90"}
    assert isinstance(section.presets["90"], Preset)
    assert section.presets["90"].contents == (tmp_path / "p/quarter.xml").read_bytes()
    assert section.new_id_preset == "90"
    assert read(tmp_path).presets == SHIPPED
    assert read(tmp_path, new_id_preset=None, presets=None).new_id_preset == "Unrestricted"


def test_102_every_preset_that_cannot_be_used_is_named_at_start(tmp_path):
    """Item 102: rules that are not enforced, a name that is taken, a folder that is not there, an unknown default."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/a.xml").write_bytes(preset(rule("New", "")))
    (tmp_path / "p/b.xml").write_bytes(preset("", "Unrestricted"))
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, presets="p")
    assert [problem.partition(": ")[2].partition(":")[0] for problem in caught.value.problems] == ["a.xml", "b.xml"]
    for section in ({"presets": "missing"}, {"new_id_preset": "90"}, {"kem": "rsa"}, {"host_key_file": ""}):
        with pytest.raises(ConfigError, match=f"data_protector.{next(iter(section))}"):
            read(tmp_path, **section)


def test_98_the_host_key_of_the_configuration_is_found_from_its_folder(tmp_path):
    """Item 98: a relative path starts where the file lies, an absolute one stays."""
    assert read(tmp_path, host_key_file="keys/h.pem").host_key_file == str(tmp_path / "keys/h.pem")
    assert read(tmp_path, host_key_file="/run/h.pem").host_key_file == "/run/h.pem"
    assert read(tmp_path).host_key_file is None
