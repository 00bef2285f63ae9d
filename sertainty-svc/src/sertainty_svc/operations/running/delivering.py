"""Say what each action makes of one file: where it goes, by which steps, and with which time (89, 90, 92)."""

from dataclasses import dataclass
from typing import Protocol

from mft_common.endpoints.contract import Entry
from mft_common.transfer.steps import MakeSteps
from sertainty_svc.operations.running.unchanged import UnchangedSource


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The output of one file: its path below the destination, and what it is made by.

    `modified_at` is its time in milliseconds, None for that of the source where `keep_time` is set.
    """

    path: str
    steps: MakeSteps | None = None
    keep_time: bool = False
    modified_at: int | None = None


class Delivering(Protocol):
    """An action that moves files; `done` is the word for its log."""

    done: str

    def prepare(self, source: UnchangedSource, entry: Entry) -> Delivery:
        """Return what becomes of a file; TransferError, Later, or TaskFault."""
        ...


class Copying:
    """Copy and Move: the same name and the same bytes."""

    def __init__(self, done: str) -> None:
        self.done = done

    def prepare(self, source: UnchangedSource, entry: Entry) -> Delivery:
        """Return the delivery of a file as it is."""
        del source
        return Delivery(path=entry.path, keep_time=True)
