"""Make the descriptions of transfers and items that are over (97)."""

import re
from collections.abc import Mapping
from typing import Final

# The id of a transfer that ended before its first file.
BEFORE_THE_FIRST: Final = "BFGRP0037I"
# Tools look for these ids in a final description; the sentence is ours, where the producer gave no reason (97).
_SENTENCES: Final[Mapping[str, str]] = {
    "BFGRP0032I": "All files were transferred.",
    "BFGRP0033I": "Some files were transferred, and some were not.",
    "BFGRP0034I": "No file was transferred.",
    "BFGRP0036I": "There was nothing to transfer.",
    BEFORE_THE_FIRST: "The transfer ended before its first file.",
}
_OTHER_ENDS: Final[Mapping[str, str]] = {
    "cancelled": "The transfer was cancelled.",
    "malformed": "The agent cannot carry out the request.",
    "notAuthorized": "The agent does not take requests of this user.",
    "deleted": "The transfer was taken back before it began.",
}
_HAS_ID: Final = re.compile(r"BFG[A-Z]{2}[0-9]{4}[EIW]: ")
_ITEM_FAILED: Final = "BFGTR0072E"


def _outcome(state: str, counters: Mapping[str, int]) -> str:
    if state == "successful":
        return "BFGRP0032I" if counters["files"] else "BFGRP0036I"
    if state == "partiallySuccessful" or counters["successes"]:
        return "BFGRP0033I"
    return "BFGRP0034I" if counters["failures"] else BEFORE_THE_FIRST


def final_description(state: str, counters: Mapping[str, int], reason: str) -> str:
    """Return the description of a transfer that is over: an id for the outcome, a colon, and a sentence (97)."""
    if _HAS_ID.match(reason):
        return reason
    outcome = _outcome(state, counters)
    return f"{outcome}: {reason or _OTHER_ENDS.get(state) or _SENTENCES[outcome]}"


def has_no_reason(state: str, description: str) -> bool:
    """Return whether the description of a transfer that is over was made without a reason of its producer."""
    sentence = description.partition(": ")[2]
    return sentence == _OTHER_ENDS[state] if state in _OTHER_ENDS else sentence in _SENTENCES.values()


def item_description(state: str, reason: str) -> str:
    """Return the description of an item; a failed one gets an id, unless its producer gave another (97)."""
    if state != "failed" or _HAS_ID.match(reason):
        return reason
    return f"{_ITEM_FAILED}: {reason or 'The item was not transferred.'}"
