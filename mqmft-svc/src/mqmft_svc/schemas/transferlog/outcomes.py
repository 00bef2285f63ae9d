"""Find the state of a transfer and of its items from actions, result codes and supplements (194, 195)."""

import re
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element

from mqmft_svc.domain.states import RANKS, is_final
from mqmft_svc.schemas.transferlog.values import MessageUnreadable, attribute, number

_BY_CODE: Final[Mapping[int, str]] = {
    0: "successful",
    20: "partiallySuccessful",
    21: "failed",
    40: "failed",
    41: "cancelled",
    43: "malformed",
    53: "notAuthorized",
}
_BY_SUPPLEMENT: Final[Mapping[str, str]] = {
    "BFGRP0032I": "successful",
    "BFGRP0036I": "successful",
    "BFGRP0033I": "partiallySuccessful",
    "BFGRP0034I": "failed",
    "BFGRP0037I": "failed",
}
_ID: Final = re.compile(r"BFGRP[0-9]{4}I\b")
_ITEM_FAILED, _ITEM_WARNING = 1, 2


def _supplements(status: Element | None) -> list[str]:
    found = [] if status is None else [(each.text or "").strip() for each in status.iterfind("supplement")]
    return [each for each in found if each]


def supplement_of(status: Element | None) -> str:
    """Return the supplements of a status in one line."""
    return " ".join(_supplements(status))


def state_of(action: str, status: Element | None, item_states: Mapping[str, int]) -> str:
    """Return the state that a message of the log tells; MessageUnreadable where it tells none.

    `item_states` counts the items of the message by `failed` and `warning`.
    """
    if action == "started":
        return "started"
    if action == "progress":
        if item_states["failed"]:
            return "inProgressWithFailures"
        return "inProgressWithWarnings" if item_states["warning"] else "inProgress"
    if action == "completed":
        return _completed(status)
    if action in RANKS and is_final(action):
        return action
    raise MessageUnreadable(f"the action is {action[:60]!r}")


def _completed(status: Element | None) -> str:
    """Return the state of a transfer that is over; where code and supplement disagree, the supplement decides."""
    for supplement in _supplements(status):
        found = _ID.match(supplement)
        if found and found[0] in _BY_SUPPLEMENT:
            return _BY_SUPPLEMENT[found[0]]
    code = number(attribute(status, "resultCode"))
    if code is None:
        raise MessageUnreadable("the transfer is completed without a result code")
    return _BY_CODE.get(code, "failed")


def item_outcome(status: Element | None) -> tuple[str, bool] | None:
    """Return the state of an item, and whether it has a warning; None where the message does not tell it."""
    code = number(attribute(status, "resultCode"))
    if code is None:
        return None
    return ("successful" if code in (0, _ITEM_WARNING) else "failed"), code == _ITEM_WARNING
