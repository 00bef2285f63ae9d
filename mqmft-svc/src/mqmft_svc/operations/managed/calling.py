"""Make the calls of a managed transfer, in its child (234)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from mft_common.endpoints.errors import Interrupted
from mft_common.storable_text import storable
from mqmft_svc.domain.calls import AFTER, BEFORE, CallRequest, CallState
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import AgentRequest, ItemRequest
from mqmft_svc.operations.calls import trying as calls
from mqmft_svc.operations.managed.order import Order
from mqmft_svc.operations.managed.reports import Reports
from mqmft_svc.operations.managed.trying import Trying

# What one request tells of the items; the number of all is in it as well.
_MOST_ITEMS: Final = 10_000
_MOST_CHARACTERS: Final = 4 << 20
_ARRIVED: Final = ("successful", "warning")
_STATES: Final[Mapping[str, str]] = {"waiting": "started", "moving": "inProgress", "warning": "successful"}


def payload_of(transfer: Managed, hosts: Sequence[str]) -> dict[str, Any] | None:
    """Return what a child gets for the calls of a transfer, None where it has none."""
    submission = transfer.submission
    if not submission.calls:
        return None
    return {
        "requests": {name: call.to_json() for name, call in submission.calls.items()},
        "states": {name: state.to_json() for name, state in transfer.calls.items()},
        "hosts": list(hosts),
        "head": {
            "sourceAgent": _agent(submission.source_agent),
            "destinationAgent": _agent(submission.destination_agent),
            "job": {"name": submission.job_name},
            "userProperties": dict(submission.user_properties),
        },
    }


def _agent(agent: AgentRequest) -> dict[str, str]:
    return {"name": agent.name, "qmgrName": agent.qmgr}


@dataclass(frozen=True, kw_only=True)
class TransferCalls:
    """The calls of one run; those that an earlier run has brought to their end are not made again.

    `head` are the members of each body that are the same for all. A run that ends amid a call leaves it to the next,
    which makes it again: its receiver gets each call at least once, with the same id in its header.
    """

    order: Order
    reports: Reports
    trying: Trying
    requests: Mapping[str, CallRequest]
    states: Mapping[str, CallState]
    hosts: Sequence[str]
    head: Mapping[str, Any]

    @classmethod
    def of(cls, payload: Mapping[str, Any] | None, order: Order, reports: Reports, trying: Trying) -> Self:
        """Return the calls of `payload_of`."""
        given = payload or {"requests": {}, "states": {}, "hosts": (), "head": {}}
        return cls(
            order=order, reports=reports, trying=trying, hosts=given["hosts"], head=given["head"],
            requests={name: CallRequest.from_json(one) for name, one in given["requests"].items()},
            states={name: CallState.from_json(one) for name, one in given["states"].items()},
        )  # fmt: skip

    def before(self) -> str:
        """Make the calls that come before the first byte; return why one failed, and the others are not made, or ""."""
        if not any(name in self.requests for name in BEFORE):
            return ""
        items = [_item(one, one.source.name, one.destination.name) for one in self.order.items]
        return next(filter(None, (self._make(name, items) for name in BEFORE)), "")

    def after(self) -> str:
        """Make the calls that come after the last item, where at least one arrived; return why one failed, or ""."""
        if not any(name in self.requests for name in AFTER):
            return ""
        files = list(self.reports.known(-1))
        if not any(file.state in _ARRIVED for file in files):
            return ""
        items = [_item(self.order.items[one.item], one.source, one.destination, one) for one in files]
        failures = [self._make(name, items) for name in AFTER]
        return next(filter(None, failures), "")

    def _make(self, name: str, items: Sequence[Mapping[str, Any]]) -> str:
        """Bring a call to its end; Interrupted where the transfer is to stop."""
        call = self.requests.get(name)
        if call is None:
            return ""
        state = self.states.get(name, CallState())
        body = {"id": self.order.transfer_id, "call": name, **self.head, **_told(items)}
        while not state.outcome:
            if state.tries and self.trying.stop.wait(call.retry_wait_s):
                raise Interrupted("the transfer was stopped between two tries of a call")
            self.trying.check_stop()
            tried = calls.make(call, f"{self.order.transfer_id}/{name}", body, self.hosts)
            state = state.after(call, tried)
            self.reports.called(name, state)
        return f"The {name} failed: {state.last.reason}." if state.outcome == "failure" else ""


def _item(item: ItemRequest, source: str, destination: str, file: ManagedFile | None = None) -> dict[str, Any]:
    """Return an item of the request, or with `file` what has become of it."""
    state, description = ("waiting", "") if file is None else (file.state, file.description)
    sides = ((item.source.type, source), (item.destination.type, destination))
    # A directory of the request has become files.
    shown = [
        {"type": "file" if kind == "directory" and file is not None else kind, "name": storable(name)}
        for kind, name in sides
    ]
    status = {"state": _STATES.get(state, state), "description": description}
    return {"mode": item.mode, "status": status, "source": shown[0], "destination": shown[1]}


def _told(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the number of items, and the first of them, as many as a request should have."""
    told: list[Mapping[str, Any]] = []
    characters = 0
    for item in items[:_MOST_ITEMS]:
        characters += sum(map(len, _texts(item)))
        if characters > _MOST_CHARACTERS:
            break
        told.append(item)
    return {"numberOfItems": len(items), "item": told}


def _texts(item: Mapping[str, Any]) -> Iterable[str]:
    return item["source"]["name"], item["destination"]["name"], item["status"]["description"]
