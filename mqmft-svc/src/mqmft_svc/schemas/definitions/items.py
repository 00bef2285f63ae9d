"""Read the items of a transfer's definition as those of the body of a request (158 to 168)."""

from collections.abc import Mapping
from typing import Any, Final

from mqmft_svc.schemas.definitions.nodes import Node, one_line

_TYPES: Final = ("file", "directory", "queue", "dataset", "pds", "filespace")
# Attributes of an element, by the attribute of the body that each becomes.
_TEXT: Final[Mapping[str, str]] = {"encoding": "encoding", "EOL": "endOfLine"}
_SOURCE_QUEUE: Final[Mapping[str, str]] = {
    "delimiter": "delimiter",
    "delimiterPosition": "delimiterPosition",
    "messageWaitTime": "messageWaitTime",
    "useGroups": "useGroups",
}
_DESTINATION_QUEUE: Final[Mapping[str, str]] = {
    "delimiterType": "delimiterType",
    "delimiter": "delimiter",
    "delimiterPosition": "delimiterPosition",
    "includeDelimiterInMessage": "includeDelimiterInMessage",
    "setMqProps": "setMqProperties",
}
_BOOLEANS: Final = frozenset(("useGroups", "includeDelimiterInMessage", "setMqProperties"))
_TRUE: Final = frozenset(("true", "yes", "1"))


def read_item(item: Node) -> dict[str, Any] | None:
    """Return one item; None where it names no source or no destination."""
    mode = item.attribute("mode").lower() or "binary"
    source, destination = item.child("source"), item.child("destination")
    if source is None or destination is None:
        item.refuse("it has no source or no destination")
        return None
    body: dict[str, Any] = {
        "mode": mode if mode in {"binary", "text"} else "binary",
        "checksum": "none" if item.attribute("checksumMethod").lower() == "none" else "md5",
        "source": _side(source, _SOURCE_QUEUE, text=mode == "text"),
        "destination": _side(destination, _DESTINATION_QUEUE, text=mode == "text"),
    }
    if not body["source"]["name"] or not body["destination"]["name"]:
        item.refuse("its source or its destination has no name")
        return None
    recursive, disposition = source.attribute("recursive").lower(), source.attribute("disposition").lower()
    body["source"] |= {
        "recursive": recursive in _TRUE,
        "disposition": "delete" if disposition == "delete" else "leave",
    }
    body["destination"]["actionIfExists"] = (
        "overwrite" if destination.attribute("exist").lower() == "overwrite" else "error"
    )
    return body


def _side(side: Node, queue: Mapping[str, str], *, text: bool) -> dict[str, Any]:
    """Return the name and type of a side with what its element says beside them."""
    declared = side.attribute("type")
    kind = declared.lower() or "file"
    if kind not in _TYPES:
        side.note(f"the type {one_line(declared)!r} is not known; 'file' is written")
        kind = "file"
    element = side.child("queue") or side.child("filespace") or side.child("file")
    if element is None:
        return {"name": "", "type": kind}
    if element.tag != "file":
        kind = element.tag
    body: dict[str, Any] = {"name": element.text, "type": kind}
    for name, key in (queue if kind == "queue" else _TEXT if text else {}).items():
        value = element.attribute(name)
        if not value:
            continue
        if key in _BOOLEANS:
            body[key] = value.lower() in _TRUE
        elif key == "messageWaitTime":
            _add_number(element, body, key, value)
        else:
            body[key] = value
    return body


def _add_number(element: Node, body: dict[str, Any], key: str, value: str) -> None:
    if value.isdecimal() and value.isascii():
        body[key] = int(value)
    else:
        element.note(f"{key} is no number: {one_line(value)!r}")
