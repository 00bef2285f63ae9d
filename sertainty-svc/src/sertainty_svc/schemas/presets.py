"""Read presets, and make those that come with the hub (102)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, indent

from mft_common import xml
from mft_common.xml import XmlError
from sertainty_svc.domain.names import is_name
from sertainty_svc.domain.rules import Rules
from sertainty_svc.domain.windows import DAYS, Edge, Window
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.leaves import Leaves
from sertainty_svc.schemas.rules import read_rules, write_rules

UNRESTRICTED: Final = "Unrestricted"
_MAX_ELEMENTS: Final = 500_000
# The rules go into an ID, which has no more.
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A set of rules under a name; `contents` is the document."""

    name: str
    rules: Rules
    contents: bytes


def read_preset(contents: bytes) -> Preset:
    """Read a preset; InvalidRequest where it is none, or holds a rule that is not enforced."""
    if len(contents) > _MOST_BYTES:
        raise InvalidRequest(f"the preset has more than {_MOST_BYTES} bytes")
    try:
        root = xml.parse(contents, max_elements=_MAX_ELEMENTS)
    except XmlError as error:
        raise InvalidRequest(f"the preset: {error}") from error
    name = root.get("name", "")
    if root.tag != "Preset" or not is_name(name):
        raise InvalidRequest("the preset is no Preset with a name")
    return Preset(name=name, rules=read_rules(Leaves(root, "Preset")), contents=contents)


def _shipped(name: str, description: str, rules: Rules) -> Preset:
    root = Element("Preset", {"name": name})
    xml.add(root, "Description", description, [("type", "string")])
    write_rules(root, rules)
    indent(root)
    return Preset(name=name, rules=rules, contents=xml.to_bytes(root))


_BUSINESS: Final = Window(days=DAYS[1:6], start=Edge(hour=8, minute=0), end=Edge(hour=18, minute=0))
SHIPPED: Final[Mapping[str, Preset]] = {
    preset.name: preset
    for preset in (
        _shipped(UNRESTRICTED, "No restriction", Rules()),
        _shipped("Hardware bound", "Opens only on the hardware that the ID was made for", Rules(hardware_deny=True)),
        _shipped(
            "Business hours",
            "Opens Monday to Friday, 8:00 to 18:00 UTC",
            Rules(schedule_deny=True, window=_BUSINESS),
        ),
        _shipped("Expires in 30 days", "Opens for 30 days from when the ID is made", Rules(expiration_days=30)),
    )
}
