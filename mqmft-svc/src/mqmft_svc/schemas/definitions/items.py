"""Read the items of a transfer's definition as those of the body of a request (158 to 168)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mqmft_svc.schemas.definitions.encodings import hub_encoding
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
_LINE_ENDS: Final = frozenset(("LF", "CRLF"))
_MOST_DIGITS: Final = 10
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
        if value := element.attribute(name):
            body[key] = _READ.get(key, _as_it_is)(element, value)
    return {key: value for key, value in body.items() if value is not None}


def _as_it_is(_element: Node, value: str) -> str:
    return value


def _yes_no(_element: Node, value: str) -> bool:
    return value.lower() in _TRUE


def _number(element: Node, value: str) -> int | None:
    if value.isdecimal() and value.isascii() and len(value) < _MOST_DIGITS:
        return int(value)
    element.note(f"{one_line(value)!r} is no number of seconds")
    return None


def _encoding(element: Node, value: str) -> str:
    known = hub_encoding(value)
    if known is None:
        element.note(f"the hub has no encoding of the name {one_line(value)!r}, which is written as it is")
    return known or value


def _line_end(element: Node, value: str) -> str | None:
    if value.upper() in _LINE_ENDS:
        return value.upper()
    element.note(f"the end of line {one_line(value)!r} is not carried over")
    return None


_READ: Final[Mapping[str, Callable[[Node, str], Any]]] = {
    **dict.fromkeys(("useGroups", "includeDelimiterInMessage", "setMqProperties"), _yes_no),
    "messageWaitTime": _number,
    "encoding": _encoding,
    "endOfLine": _line_end,
}
