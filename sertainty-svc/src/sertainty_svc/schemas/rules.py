"""Read and write the rules of presets and IDs (101)."""

from typing import Final
from xml.etree.ElementTree import Element

from mft_common import xml
from mft_common.clock import FIRST_MS, LAST_MS, iso, parse_iso
from sertainty_svc.domain.rules import Rules
from sertainty_svc.domain.windows import DAYS, Edge, Window
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.leaves import Leaves
from sertainty_svc.schemas.windows import ANY, WINDOW_LEAVES, read_window, read_zone

_GENERAL: Final = "GeneralSetup"
_RESTRICTIONS: Final = "RestrictionsSetup"
_SCHEDULE: Final = "ScheduleSetup"
_KNOWN: Final = {
    _GENERAL: frozenset(("Expiration", "ExpirationDays")),
    _RESTRICTIONS: frozenset(("HardwareDeny", "ScheduleDeny")),
    _SCHEDULE: WINDOW_LEAVES,
}
_MAX_DAYS: Final = 36_500
# The numbers of a window in the order of the format.
_NUMBERS: Final = (
    *((end, number) for end in ("Start", "End") for number in ("Hour", "Minute")),
    *((end, number) for end in ("Start", "End") for number in ("Day", "Month", "Year")),
)
_BOOL: Final = ("type", "bool")
_INT: Final = ("type", "int")


def read_rules(parent: Leaves) -> Rules:
    """Return the rules in the child Rules of a preset or a definition.

    InvalidRequest where there is none, and for everything in it that is not enforced: a rule that is ignored would let
    happen what somebody wanted to forbid.
    """
    blocks = _blocks(parent)
    general, restrictions = blocks.get(_GENERAL), blocks.get(_RESTRICTIONS)
    schedule = blocks.get(_SCHEDULE)
    schedule_deny = restrictions is not None and restrictions.boolean("ScheduleDeny", default=False)
    if schedule_deny and schedule is None:
        raise InvalidRequest("the rule ScheduleDeny needs a ScheduleSetup")
    return Rules(
        expiration=None if general is None else _read_date(general, "Expiration"),
        expiration_days=None if general is None else general.whole("ExpirationDays", 1, _MAX_DAYS, None),
        hardware_deny=restrictions is not None and restrictions.boolean("HardwareDeny", default=False),
        schedule_deny=schedule_deny,
        window=None if schedule is None else read_window(schedule),
        zone="UTC" if schedule is None else read_zone(schedule),
    )


def write_rules(parent: Element, rules: Rules) -> None:
    """Append the Rules element, with a block for each kind of rule that is set."""
    root = xml.add(parent, "Rules")
    if rules.expiration is not None or rules.expiration_days is not None:
        block = xml.add(root, "Rule", attributes=[("name", _GENERAL)])
        if rules.expiration is not None:
            xml.add(block, "Expiration", to_date(rules.expiration), [("type", "date")])
        if rules.expiration_days is not None:
            xml.add(block, "ExpirationDays", str(rules.expiration_days), [_INT])
    if rules.hardware_deny or rules.schedule_deny:
        block = xml.add(root, "Rule", attributes=[("name", _RESTRICTIONS)])
        xml.add(block, "HardwareDeny", _boolean(value=rules.hardware_deny), [_BOOL])
        xml.add(block, "ScheduleDeny", _boolean(value=rules.schedule_deny), [_BOOL])
    if rules.window is not None:
        _write_window(xml.add(root, "Rule", attributes=[("name", _SCHEDULE)]), rules.window, rules.zone)


def to_date(at: int) -> str:
    """Render milliseconds as whole seconds, `YYYY-MM-DDThh:mm:ssZ`."""
    return f"{iso(at)[:19]}Z"


def _blocks(parent: Leaves) -> dict[str, Leaves]:
    found = parent.elements("Rules")
    if len(found) != 1:
        raise InvalidRequest(f"{parent.path} has not exactly one Rules")
    blocks: dict[str, Leaves] = {}
    for element in found[0]:
        name = element.get("name", "")
        if element.tag != "Rule" or name not in _KNOWN or name in blocks:
            raise InvalidRequest(f"{parent.path}/Rules has a rule that is not enforced, or one twice")
        blocks[name] = Leaves(element, f"{parent.path}/Rules/{name}")
        unknown = sorted(blocks[name].tags - _KNOWN[name])
        if unknown:
            raise blocks[name].problem(unknown[0], "a rule that is not enforced")
    return blocks


def _read_date(leaves: Leaves, tag: str) -> int | None:
    text = leaves.text(tag).strip()
    if not text and tag not in leaves:
        return None
    try:
        at = parse_iso(text)
    except (ValueError, OverflowError) as error:
        raise leaves.problem(tag, "no time with a zone") from error
    # By its zone a time of these years may lie beyond them, where no date is.
    if not FIRST_MS <= at <= LAST_MS:
        raise leaves.problem(tag, "no time of the years 1 to 9999 in UTC")
    return at


def _write_window(block: Element, window: Window, zone: str) -> None:
    xml.add(block, "Enabled", _boolean(value=window.enabled), [_BOOL])
    xml.add(block, "TimeZone", zone, [("type", "string")])
    for day in DAYS:
        xml.add(block, f"Day{day}", _boolean(value=day in window.days), [_BOOL])
    for end, number in _NUMBERS:
        edge = window.start if end == "Start" else window.end
        xml.add(block, f"{end}{number}", str(_number(edge, number)), [_INT])


def _number(edge: Edge, name: str) -> int:
    value: int | None = getattr(edge, name.lower())
    return ANY if value is None else value


def _boolean(*, value: bool) -> str:
    return "true" if value else "false"
