"""Documents and arguments that are to cost time, memory or a useless ID: what is refused, and at which bound."""

import tracemalloc
from pathlib import PurePath

import pytest

from mft_common.clock import parse_iso
from sertainty_svc.domain.ids import IdUnusable
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.operations.protection.issuing import new_id
from sertainty_svc.operations.protection.opening import usable_for_protect
from sertainty_svc.schemas.folders import Roots
from sertainty_svc.schemas.ids import read_id
from sertainty_svc.schemas.presets import read_preset
from sertainty_svc.schemas.tasks import read_tasks
from sertainty_svc.wire import decode
from tests.servers.task_documents import document, task
from tests.unit.sertainty_svc.made_ids import FILE_KEY, NOW, Host, issued, protected


def preset(leaves):
    """Return a document of a preset with leaves of GeneralSetup as text."""
    return f'<Preset name="Mine"><Rules><Rule name="GeneralSetup">{leaves}</Rule></Rules></Preset>'.encode()


def test_6_white_space_between_all_digits_takes_no_more_memory_than_the_content():
    """Items 6 and 12: lines of one digit are read as long ones are, in a request that needs no session."""
    content = "QUJD" * 100_000
    spaced = " ".join(content)
    tracemalloc.start()
    try:
        assert decode(spaced, "argument 1") == b"ABC" * 100_000
        assert tracemalloc.get_traced_memory()[1] < 3 * len(spaced)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "element",
    [b"<x:New xmlns:x='urn:x'/>", b"<New xmlns='urn:x'/>", b"<New xmlns:x='urn:x' x:y=''/>", b"<New xml:lang='en'/>"],
    ids=["prefix", "default", "attribute", "xml"],
)
def test_100_names_in_namespaces_are_refused(element):
    """Item 100: Canonical XML would keep their prefixes, and thousands of namespaces would take minutes to write."""
    host = Host()
    contents = issued(host)
    file = protected(contents)
    within = contents.replace(b"<Machines>", element + b"<Machines>")
    for use in (lambda: usable_for_protect(within, NOW), lambda: host.open(within, *file)):
        with pytest.raises(IdUnusable, match="names in namespaces"):
            use()
    outside = contents.replace(b"<Wraps>", element + b"<Wraps>")
    declared = contents.replace(b"<Machines>", b"<Machines xmlns:x='urn:x'>")
    assert host.open(outside, *file) == host.open(declared, *file) == FILE_KEY


@pytest.mark.parametrize("expiration", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
def test_101_an_end_that_no_date_can_tell_makes_a_preset_invalid(expiration):
    """Item 101: the date in an ID is UTC; in another year than 1 to 9999 nobody could use the ID that is made."""
    with pytest.raises(InvalidRequest, match="GeneralSetup/Expiration is no time of the years 1 to 9999 in UTC"):
        read_preset(preset(f"<Expiration>{expiration}</Expiration>"))
    for end in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        made = new_id(
            "x", [Host().machine], read_preset(preset(f"<Expiration>{end}</Expiration>")), kem="x25519", now_ms=NOW
        )
        assert read_id(made[1]).definition.rules.expiration == parse_iso(end)


def test_101_the_tag_of_a_rule_that_is_not_enforced_is_shown_in_part():
    """Item 101: an ID by somebody else puts no megabyte into the status, the log and the events of a task."""
    tag = "T" * 200_000
    with pytest.raises(InvalidRequest) as caught:
        read_preset(preset(f"<{tag}/>"))
    assert caught.value.detail == f"Preset/Rules/GeneralSetup/{'T' * 100}... is a rule that is not enforced"


def test_102_109_a_preset_of_more_than_an_id_may_have_is_refused():
    """Items 102 and 109: before it is parsed."""
    small = preset("")
    assert read_preset(small + b" " * ((1 << 20) - len(small))).name == "Mine"
    for contents in (small + b" " * (1 << 20), b"no XML" * 1_000_000):
        with pytest.raises(InvalidRequest, match="the preset has more than 1048576 bytes"):
            read_preset(contents)


def test_103_109_the_patterns_of_all_tasks_together_have_a_limit():
    """Items 103 and 109: the watcher of all tasks would compile the patterns of 8 MiB for a minute."""
    roots = Roots((PurePath("/srv/a"),))
    tasks = [task(str(number), Filter={"Include": "*a" * 65_536, "Exclude": "*b" * 65_536}) for number in range(5)]
    assert len(read_tasks(document(*tasks[:4]).encode(), roots)) == 4
    with pytest.raises(InvalidRequest, match="Include and Exclude have more than 1048576 characters together"):
        read_tasks(document(*tasks).encode(), roots)
