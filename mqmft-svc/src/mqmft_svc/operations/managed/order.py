"""The order that a child gets for a managed transfer: plain data that goes through its socket."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self
from urllib.parse import quote

from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.section import Targets
from mft_common.endpoints.targets import REFERENCE, Target, Timeouts
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import ItemRequest

SOURCE: Final = "source"
DESTINATION: Final = "destination"


def url_of(side: str, folder: str = "") -> str:
    """Return the URL of a folder below a root, in the endpoints that `Order.root` gives."""
    return f"{REFERENCE}{side}/{quote(folder, errors='surrogateescape')}"


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The message broker of an agent: its URL, "" where the agent has none."""

    agent: str = ""
    qmgr: str = ""
    url: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A managed transfer to run: its items, and the URLs of the roots of its agents.

    `retry_count` is how often a file is tried again after an error that may heal. `recover` says that the run ends
    after that, to go on later; else the file fails. `known` are the files of an earlier run, in order; `more` says that
    the worker has others, which are asked for. An endpoint that is silent for `patience_s` does not answer, and for
    less where its own limits say so. `brokers` are those of the agents by the side, and `account` is the user's.
    `private` is a folder for what is not released yet.
    """

    transfer_id: str
    token: str
    items: tuple[ItemRequest, ...]
    source: str
    destination: str
    endpoints: Endpoints
    retry_count: int
    recover: bool
    known: tuple[ManagedFile, ...]
    more: bool
    patience_s: float
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    account: str = ""
    private: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the order of a payload."""
        return cls(
            transfer_id=values["transfer_id"],
            token=values["token"],
            items=tuple(map(ItemRequest.from_json, values["items"])),
            source=values["source"],
            destination=values["destination"],
            endpoints=Endpoints.from_json(values["endpoints"]),
            retry_count=values["retry_count"],
            recover=values["recover"],
            known=tuple(map(ManagedFile.from_json, values["files"] or ())),
            more=values.get("more", False),
            patience_s=values["patience_s"],
            brokers={side: Broker(**one) for side, one in values.get("brokers", {}).items()},
            account=values.get("account", ""),
            private=values.get("private", ""),
        )

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides at which an item has files, whose roots are needed."""
        kinds = {
            SOURCE: [one.source.type for one in self.items],
            DESTINATION: [one.destination.type for one in self.items],
        }
        return tuple(side for side, types in kinds.items() if any(kind != "queue" for kind in types))

    def root(self, side: str) -> tuple[Endpoints, Target]:
        """Return the endpoints in which `side` is the name of that agent's root, and its target; TransferError."""
        url = self.source if side == SOURCE else self.destination
        target = self.endpoints.find(url)
        limits = target.timeouts
        patient = Timeouts(min(limits.connect, self.patience_s), min(limits.idle, self.patience_s))
        target = replace(target, timeouts=patient)
        return replace(self.endpoints, targets=Targets({side: target})), target
