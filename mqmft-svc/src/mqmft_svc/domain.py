"""The record of a transfer, and how events change it: in any order and any repetition they end in one record."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

FINAL_RANK: Final = 4
RANKS: Final[Mapping[str, int]] = {
    "started": 0,
    "inProgress": 1,
    "inProgressWithWarnings": 2,
    "inProgressWithFailures": 3,
    "successful": FINAL_RANK,
    "partiallySuccessful": FINAL_RANK,
    "failed": FINAL_RANK,
    "cancelled": FINAL_RANK,
    "malformed": FINAL_RANK,
    "notAuthorized": FINAL_RANK,
    "deleted": FINAL_RANK,
}
# All roles, in the order in which answers name them (145).
ROLES: Final = ("MFTWebAdmin", "MFTWebAdminRO", "MQWebUser", "MQWebAdmin", "MQWebAdminRO")
READERS: Final = ("MFTWebAdmin", "MFTWebAdminRO", "MQWebUser")
WRITERS: Final = ("MFTWebAdmin", "MQWebUser")
# The topics of each resource; some have two spellings (16).
_TOPIC_ROOT: Final = "SYSTEM.FTE"
TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "transfer": (f"{_TOPIC_ROOT}/Transfer", f"{_TOPIC_ROOT}/Transfers"),
    "call": (f"{_TOPIC_ROOT}/Transfer", f"{_TOPIC_ROOT}/Transfers"),
    "agent": (f"{_TOPIC_ROOT}/Agents",),
    "monitor": (f"{_TOPIC_ROOT}/Monitor", f"{_TOPIC_ROOT}/Monitors"),
}
# The sequence of the items of an ended event: they outrank every progress message, whatever its number.
FINAL_SEQUENCE: Final = 2**62


def is_final(state: str) -> bool:
    """Return whether no event may change the state any more."""
    return RANKS[state] == FINAL_RANK


# Tools look for these ids in a final description; the sentence is ours, where the producer gave no reason (97).
_SENTENCES: Final[Mapping[str, str]] = {
    "BFGRP0032I": "All files were transferred.",
    "BFGRP0033I": "Some files were transferred, and some were not.",
    "BFGRP0034I": "No file was transferred.",
    "BFGRP0036I": "There was nothing to transfer.",
    "BFGRP0037I": "The transfer ended before its first file.",
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
    return "BFGRP0034I" if counters["failures"] else "BFGRP0037I"


def final_description(state: str, counters: Mapping[str, int], reason: str) -> str:
    """Return the description of a transfer that is over: an id for the outcome, a colon, and a sentence (97)."""
    if _HAS_ID.match(reason):
        return reason
    outcome = _outcome(state, counters)
    return f"{outcome}: {reason or _OTHER_ENDS.get(state) or _SENTENCES[outcome]}"


def item_description(state: str, reason: str) -> str:
    """Return the description of an item; a failed one gets an id, unless its producer gave another (97)."""
    if state != "failed" or _HAS_ID.match(reason):
        return reason
    return f"{_ITEM_FAILED}: {reason or 'The item was not transferred.'}"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The account that calls, its roles and topics; `mechanism` is form, basic or noSecurity (145)."""

    user: str
    roles: tuple[str, ...]
    topics: tuple[str, ...] = ()
    mechanism: str = "basic"

    def may_subscribe(self, resource: str) -> bool:
        """Return whether the topics cover one of the resource's, or the root above them all (16)."""
        granted = {topic.removesuffix("/#") for topic in self.topics}
        return not granted.isdisjoint({_TOPIC_ROOT, *TOPICS[resource]})


@dataclass(slots=True, kw_only=True)
class Item:
    """The record of one file or queue: `leaves` maps paths, such as `source.size`, to values.

    `sequence` is that of the newest event which had the item; `older` maps each leaf that this event did not repeat to
    the sequence of the event that it comes from.
    """

    position: int
    sequence: int
    leaves: dict[str, Any]
    older: dict[str, int] = field(default_factory=dict)

    def merged(self, other: "Item") -> "Item":
        """Return both in one: each leaf has the value of the newest event that had it, whichever came first (210)."""
        if other.sequence >= self.sequence and other.leaves.keys() >= self.leaves.keys() and not other.older:
            return other
        sequence = max(self.sequence, other.sequence)
        leaves: dict[str, Any] = {}
        older: dict[str, int] = {}
        for name in {**self.leaves, **other.leaves}:
            mine = self.older.get(name, self.sequence) if name in self.leaves else -1
            theirs = other.older.get(name, other.sequence) if name in other.leaves else -1
            leaves[name] = other.leaves[name] if theirs >= mine else self.leaves[name]
            if max(mine, theirs) != sequence:
                older[name] = max(mine, theirs)
        return Item(position=self.position, sequence=sequence, leaves=leaves, older=older)


@dataclass(frozen=True, kw_only=True)
class Head:
    """Originator, agents and job of a transfer; `rank` is 1 from a started event, 2 from an ended one."""

    rank: int
    submitted_at: int
    texts: Mapping[str, str]
    user_properties: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change of one transfer's record that one event stands for; times are milliseconds."""

    id: str
    protocol: str
    time: int
    sequence: int
    state: str
    description: str
    counters: Mapping[str, int]
    items: tuple[Item, ...] = ()
    head: Head | None = None
    began_at: int | None = None
    ended_at: int | None = None


COUNTERS: Final = ("files", "successes", "failures", "warnings", "bytes_sent", "retries")
TEXTS: Final = (
    *("source_agent", "source_qmgr", "destination_agent", "destination_qmgr"),
    *("host", "account", "mqmd_user", "label", "job_name"),
)


@dataclass(slots=True, kw_only=True)
class Transfer:
    """The record of one transfer, a row of the store. `arrival` counts transfers in the order of their first events.

    Lists are ordered by `started_at`. `head_rank` is the rank of the event that the head comes from: 0 stands for a
    guess from a progress message, 1 for a started event, 2 for an ended one. `home_qmgr` was the coordination queue
    manager when the record was made.
    """

    id: str
    protocol: str
    started_at: int
    home_qmgr: str
    state: str = "started"
    arrival: int = 0
    head_rank: int = 0
    sequence: int = -1
    began_at: int | None = None
    ended_at: int | None = None
    updated_at: int = 0
    description: str = ""
    source_agent: str = ""
    source_qmgr: str = ""
    destination_agent: str = ""
    destination_qmgr: str = ""
    host: str = ""
    account: str = ""
    mqmd_user: str = ""
    label: str = ""
    job_name: str = ""
    user_properties: dict[str, str] = field(default_factory=dict)
    files: int = 0
    successes: int = 0
    failures: int = 0
    warnings: int = 0
    bytes_sent: int = 0
    retries: int = 0

    def apply(self, change: Change) -> None:
        """Apply an event's change; any order and any repetition of a transfer's events ends in one record (4.B).

        The first final state stays, with its description, counters and end (209).
        """
        was_final, ends = is_final(self.state), is_final(change.state)
        if was_final and ends:
            return
        self.updated_at = max(self.updated_at, change.time)
        if change.began_at is not None:
            self.began_at = change.began_at if self.began_at is None else min(self.began_at, change.began_at)
        self._apply_head(change)
        if was_final:
            return
        if ends or change.sequence >= self.sequence:
            self.description = change.description
            for name in COUNTERS:
                setattr(self, name, change.counters[name])
        if ends:
            self.ended_at = change.ended_at
            self.description = final_description(change.state, change.counters, change.description)
        self.sequence = max(self.sequence, change.sequence)
        if RANKS[change.state] > RANKS[self.state]:
            self.state = change.state

    def _apply_head(self, change: Change) -> None:
        head = change.head
        if head is None:
            if self.head_rank == 0:
                self.started_at = min(self.started_at, change.time)
            return
        self.started_at = head.submitted_at if self.head_rank == 0 else min(self.started_at, head.submitted_at)
        better = head.rank >= self.head_rank
        for name, value in head.texts.items():
            if value and (better or not getattr(self, name)):
                setattr(self, name, value)
        self.user_properties = (
            {**self.user_properties, **head.user_properties}
            if better
            else {**head.user_properties, **self.user_properties}
        )
        self.head_rank = max(self.head_rank, head.rank)


def new_transfer(change: Change, home_qmgr: str) -> Transfer:
    """Return an empty record, for `change` to be applied to."""
    return Transfer(id=change.id, protocol=change.protocol, started_at=change.time, home_qmgr=home_qmgr)
