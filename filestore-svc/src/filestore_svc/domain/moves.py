"""Describe an upload or a download as the transfer that it is, in the events that all services understand."""

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import Any, Final

from mft_common.events.catalogue.items import Agent, Item, Originator, Side, Totals
from mft_common.events.catalogue.transfers import TransferEnded, TransferStarted

PROTOCOL: Final = "http-mft"
CLIENT: Final = Agent(name="CLIENT")
FILESTORE: Final = Agent(name="FILESTORE")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a transfer ended, and when (milliseconds, 0 for now): well when `reason` is empty. Sizes in bytes."""

    reason: str = ""
    cancelled: bool = False
    at: int = 0
    bytes_sent: int = 0
    fileset: int | None = None
    size: int | None = None
    sha256: str | None = None
    modified_at: int | None = None


_OPEN: Final = Outcome()
_ONE: Final = Totals(files=1)
# Where a client puts what it downloads is nobody's business.
_NOWHERE: Final = Side()


@dataclass(eq=False, kw_only=True)
class Move:
    """One upload or download while it runs.

    `foreign` ones belong to a transfer that another service tells of. `announced` once the started event is committed,
    `over` once nothing more will be told. `kept` ones outlive their process: a row of their own says whether they are
    open. `lock` is held by whoever commits for it.
    """

    transfer_id: str
    foreign: bool
    upload: bool
    account: str
    address: str
    label: str
    request_id: str
    submitted_at: int
    source: str
    destination: str | None = None
    if_exists: str | None = None
    fileset: int | None = None
    announced: bool = False
    over: bool = False
    kept: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def started(self) -> TransferStarted:
        """Return the event that tells of its begin."""
        return TransferStarted(
            **self._head(self.fileset), state="started", totals=_ONE, items=(self._item("started", _OPEN),)
        )

    def ended(self, outcome: Outcome, at: int) -> TransferEnded:
        """Return the event that tells of its end."""
        state = "cancelled" if outcome.cancelled else "failed" if outcome.reason else "successful"
        return TransferEnded(
            **self._head(outcome.fileset or self.fileset),
            state=state,
            description=outcome.reason,
            totals=_totals(failed=bool(outcome.reason), bytes_sent=outcome.bytes_sent),
            ended_at=max(at, self.submitted_at),
            items=(self._item(state, outcome),),
        )

    def _head(self, fileset: int | None) -> dict[str, Any]:
        properties = {"crossdock.protocol": PROTOCOL}
        if fileset is not None:
            properties["crossdock.fileset"] = str(fileset)
        return {
            "transfer_id": self.transfer_id,
            "protocol": PROTOCOL,
            "began_at": self.submitted_at,
            "source_agent": CLIENT if self.upload else FILESTORE,
            "destination_agent": FILESTORE if self.upload else CLIENT,
            "originator": Originator(account=self.account, host=self.address, label=self.label or None),
            "submitted_at": self.submitted_at,
            "user_properties": properties,
        }

    def _item(self, state: str, outcome: Outcome) -> Item:
        content: dict[str, Any] = {"size": outcome.size, "sha256": outcome.sha256}
        times: dict[str, Any] = {"modified_at": outcome.modified_at}
        if self.upload:
            source = Side(path=self.source, **content)
            target = Side(path=self.destination, if_exists=self.if_exists, **content, **times)
        else:
            source, target = Side(path=self.source, **content, **times), _NOWHERE
        return Item(index=0, state=state, description=outcome.reason, source=source, destination=target)


def broken_off(started: TransferStarted, reason: str, at: int) -> TransferEnded:
    """Return the end of a transfer of which only its begin is known."""
    items = tuple(dataclasses.replace(item, state="failed", description=reason) for item in started.items or ())
    return TransferEnded(
        **_head(started),
        state="failed",
        description=reason,
        totals=_totals(failed=True, bytes_sent=0),
        ended_at=max(at, started.submitted_at),
        items=items,
    )


def _totals(*, failed: bool, bytes_sent: int) -> Totals:
    return Totals(files=1, successes=int(not failed), failures=int(failed), bytes_sent=bytes_sent)


def _head(started: TransferStarted) -> dict[str, Any]:
    kept = ("transfer_id", "protocol", "began_at", "source_agent", "destination_agent", "originator", "submitted_at")
    return {name: getattr(started, name) for name in (*kept, "job_name", "user_properties")}
