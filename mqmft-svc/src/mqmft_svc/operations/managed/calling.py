"""Make one try of a call of a managed transfer, in a child of a worker (234)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mft_common.process.runner import Channel
from mft_common.storable_text import storable
from mqmft_svc.domain.calls import BEFORE, CallRequest
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.calls import trying
from mqmft_svc.operations.managed.reports import Reports

CALL: Final = f"{__name__}:call"

# What one request tells of the items; the number of all is in it as well.
_MOST_ITEMS: Final = 10_000
_MOST_CHARACTERS: Final = 4 << 20
_STATES: Final[Mapping[str, str]] = {"waiting": "started", "moving": "inProgress", "warning": "successful"}


def call(channel: Channel, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Make one try, and return how it went.

    The receiver gets each call at least once, with the same id in its header.
    """
    name, id_ = payload["name"], payload["id"]
    requested = [ItemRequest.from_json(one) for one in payload["items"]]
    if name in BEFORE:
        items = [_item(one, one.source.name, one.destination.name) for one in requested]
        count = len(items)
    else:
        items, count = [], 0
        for one in Reports(channel).known(-1):
            count += 1
            if count <= _MOST_ITEMS:
                items.append(_item(requested[one.item], one.source, one.destination, one))
    body = {"id": id_, "call": name, **payload["head"], **_told(items, count)}
    request = CallRequest.from_json(payload["request"])
    return trying.make(request, f"{id_}/{name}", body, payload["hosts"]).to_json()


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


def _told(items: Sequence[Mapping[str, Any]], count: int) -> dict[str, Any]:
    """Return the number of items, and the first of them, as many as a request should have."""
    told: list[Mapping[str, Any]] = []
    characters = 0
    for item in items[:_MOST_ITEMS]:
        characters += sum(map(len, _texts(item)))
        if characters > _MOST_CHARACTERS:
            break
        told.append(item)
    return {"numberOfItems": count, "item": told}


def _texts(item: Mapping[str, Any]) -> Iterable[str]:
    return item["source"]["name"], item["destination"]["name"], item["status"]["description"]
