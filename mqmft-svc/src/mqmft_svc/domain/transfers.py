"""The record of a transfer, and how events change it: in any order and any repetition they end in one record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mqmft_svc.domain.descriptions import final_description, has_no_reason
from mqmft_svc.domain.states import RANKS, counts_all_files, is_final

# The sequence of the items of an ended event: they outrank every progress message, whatever its number.
FINAL_SEQUENCE: Final = 2**62
# Added to the sequence of a message of IBM's log: it outranks every status message about the same item (1.N).
LOG_SEQUENCE: Final = 2**61


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
    """Originator, agents and job of a transfer; `rank` is 1 from a started event, 2 from an ended one.

    A status message has a head of rank 0: its time says nothing about the start.
    """

    rank: int
    submitted_at: int
    texts: Mapping[str, str]
    user_properties: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change of one transfer's record that one event or message stands for; times are milliseconds.

    `network` names the MFT network that a message comes from; it is empty for the hub's own transfers (198).
    """

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
    network: str = ""


COUNTERS: Final = ("files", "successes", "failures", "warnings", "bytes_sent", "retries")
# Messages of networks may leave out the others: those never become less (194).
_OUTCOMES: Final = ("successes", "failures", "warnings")
_GROWING: Final = tuple(name for name in COUNTERS if name not in _OUTCOMES)
TEXTS: Final = (
    *("source_agent", "source_qmgr", "destination_agent", "destination_qmgr"),
    *("host", "account", "mqmd_user", "label", "job_name"),
)


@dataclass(slots=True, kw_only=True)
class Transfer:
    """The record of one transfer, a row of the store. `arrival` counts transfers in the order of their first events.

    Lists are ordered by `started_at`. `head_rank` is the rank of the event that the head comes from: 0 stands for a
    guess from a progress message, 1 for a started event, 2 for an ended one. `home_qmgr` was the coordination queue
    manager when the record was made. `network` is that of the change which made the record.
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
    network: str = ""
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
        known = self.files
        if self.network:
            for name in _GROWING:
                setattr(self, name, max(getattr(self, name), change.counters[name]))
        if not was_final:
            self._apply_state(change, ends=ends)
        if self.network and counts_all_files(self.state):
            if self.state == "failed" and self.failures in (0, known):
                # Of such an end the messages need not say that every file has failed.
                self.failures = self.files
            self.successes = max(0, self.files - self.failures)
            self._describe_again()

    def _describe_again(self) -> None:
        """Name the outcome by the counters of the record, which messages may have brought after the end."""
        if has_no_reason(self.state, self.description):
            counters = {name: getattr(self, name) for name in COUNTERS}
            self.description = final_description(self.state, counters, "")

    def _apply_state(self, change: Change, *, ends: bool) -> None:
        if ends or change.sequence >= self.sequence:
            self.description = change.description
            for name in _OUTCOMES if self.network else COUNTERS:
                setattr(self, name, change.counters[name])
        if ends:
            self.ended_at = change.ended_at
            self.description = final_description(change.state, change.counters, change.description)
        self.sequence = max(self.sequence, change.sequence)
        if RANKS[change.state] > RANKS[self.state]:
            self.state = change.state

    def count_items(self, items: Iterable[Item]) -> None:
        """Set the counters of files from all items (194).

        No message of a network tells them while a transfer runs, nor how many arrived before it was stopped.
        """
        outcomes = [(one.leaves.get("state"), one.leaves.get("description")) for one in items]
        failures = sum(state == "failed" for state, _ in outcomes)
        self.successes = sum(state == "successful" for state, _ in outcomes)
        self.failures = max(self.failures, failures) if is_final(self.state) else failures
        self.warnings = sum(state == "successful" and description != "" for state, description in outcomes)
        if is_final(self.state):
            self._describe_again()

    def _apply_head(self, change: Change) -> None:
        head = change.head
        if head is None or head.rank == 0:
            if self.head_rank == 0:
                self.started_at = min(self.started_at, change.time)
        else:
            self.started_at = head.submitted_at if self.head_rank == 0 else min(self.started_at, head.submitted_at)
        if head is None:
            return
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
    return Transfer(
        id=change.id, protocol=change.protocol, started_at=change.time, home_qmgr=home_qmgr, network=change.network
    )


def item_state(record: Transfer, item: Item) -> str:
    """Return the state of an item as it is shown.

    An item of a network whose last message was lost, or is late, has the state of its transfer's end; not after a
    partial success, which says nothing about one item.
    """
    state = str(item.leaves.get("state", "started"))
    over = record.network != "" and is_final(record.state) and record.state != "partiallySuccessful"
    return record.state if over and not is_final(state) else state
