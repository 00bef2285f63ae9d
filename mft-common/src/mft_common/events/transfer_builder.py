"""Build the events of a transfer: every producer of `transfer.*` events does so here."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from mft_common.events.catalogue.event import Event
from mft_common.events.catalogue.items import Agent, Item, Originator, Totals
from mft_common.events.catalogue.transfers import (
    MAX_ITEMS,
    TransferEnded,
    TransferHead,
    TransferProgressed,
    TransferStarted,
)

# The texts of the items of one event; a character has six bytes at most, and a broker takes messages of 16 MiB.
_MOST_CHARACTERS = 1 << 20
_HEAD = ("transfer_id", "protocol", "source_agent", "destination_agent", "originator", "submitted_at", "began_at")


@dataclass(frozen=True, kw_only=True)
class TransferEvents:
    """The head of one transfer, and the events that report it; times in milliseconds.

    `submitted_at` is when it was accepted, `began_at` when its first byte or call was, None before. `caused_by` is the
    id of the transfer whose file started this one, None where no file did. Totals are absolute. Items are those that
    changed since the last event; more than 1,000 of them go into several events.
    """

    transfer_id: str
    protocol: str
    source_agent: Agent
    destination_agent: Agent
    originator: Originator
    submitted_at: int
    began_at: int | None = None
    job_name: str = ""
    user_properties: Mapping[str, str] = field(default_factory=dict)
    caused_by: str | None = None

    @classmethod
    def of(cls, head: TransferHead) -> Self:
        """Return the transfer whose started or ended event is known."""
        return cls(**{name: getattr(head, name) for name in (*_HEAD, "job_name", "user_properties", "caused_by")})

    def started(self, totals: Totals, items: Sequence[Item] | None = None, description: str = "") -> TransferStarted:
        """Return the first event; `items` are at most 1,000, None where they are not known yet.

        `description` says what the transfer waits for, where that is known.
        """
        known = None if items is None else tuple(items)
        return TransferStarted(**self._head(), state="started", totals=totals, items=known, description=description)

    def progressed(self, totals: Totals, items: Sequence[Item] = ()) -> list[TransferProgressed]:
        """Return the events of the totals so far and of the items that changed: one at least."""
        return [self._progressed(totals, page) for page in _pages(items)]

    def ended(self, state: str, totals: Totals, items: Sequence[Item], at: int, description: str = "") -> list[Event]:
        """Return the last event, behind those of the items beyond the first 1,000.

        `state` is a final one; the end is not before the transfer was accepted, whatever the clock did.
        """
        return list(self.ending(state, totals, items, at, lambda: description))

    def ending(
        self, state: str, totals: Totals, items: Iterable[Item], at: int, describe: Callable[[], str]
    ) -> Iterator[Event]:
        """Yield the events of `ended` one by one, for more items than fit into memory.

        `describe` returns the description once all items were read.
        """
        pages = _pages(items)
        first = next(pages)
        for page in pages:
            yield self._progressed(totals, page)
        yield TransferEnded(
            **self._head(),
            state=state,
            totals=totals,
            items=tuple(first),
            ended_at=max(at, self.submitted_at),
            description=describe(),
        )

    def _progressed(self, totals: Totals, items: Sequence[Item]) -> TransferProgressed:
        return TransferProgressed(
            transfer_id=self.transfer_id,
            protocol=self.protocol,
            state=state_in_progress(totals),
            totals=totals,
            began_at=self.began_at,
            items=tuple(items) or None,
        )

    def _head(self) -> dict[str, Any]:
        return dict(self.__dict__)


def state_in_progress(totals: Totals) -> str:
    """Return the state of a transfer that is not over: a failure so far counts more than a warning."""
    if totals.failures:
        return "inProgressWithFailures"
    return "inProgressWithWarnings" if totals.warnings else "inProgress"


def totals_of_one(*, failed: bool, bytes_sent: int) -> Totals:
    """Return the totals of a finished transfer of one file."""
    return Totals(files=1, successes=int(not failed), failures=int(failed), bytes_sent=bytes_sent)


def _pages(items: Iterable[Item]) -> Iterator[Sequence[Item]]:
    """Yield at most 1,000 items at a time, and fewer where their texts are long; once nothing where there are none."""
    page: list[Item] = []
    characters = 0
    for item in items:
        more = _characters(item)
        if page and (len(page) == MAX_ITEMS or characters + more > _MOST_CHARACTERS):
            yield page
            page, characters = [], 0
        page.append(item)
        characters += more
    yield page


def _characters(item: Item) -> int:
    """Return how long the texts of an item are of which some have no small limit."""
    sides = (item.source, item.destination)
    return len(item.description) + sum(len(side.path or side.name or "") for side in sides)
