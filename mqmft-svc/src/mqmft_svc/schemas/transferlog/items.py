"""Read the items of a message: their two sides, checksums and outcomes (194)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from xml.etree.ElementTree import Element

from mqmft_svc.domain.descriptions import item_description
from mqmft_svc.schemas.transferlog.outcomes import item_outcome, supplement_of
from mqmft_svc.schemas.transferlog.values import attribute, moment, number, text_of, yes_no

_Read = Callable[[str | None], Any]
_CHECKSUMS: Final = {"md5": "md5", "sha256": "sha256"}
_DATASETS: Final = ("dataset", "pds")


def _word(text: str | None) -> str | None:
    return (text or "").strip() or None


# Attributes of an element, the leaf that each becomes, and how it is read.
_FILE: Final[Mapping[str, tuple[str, _Read]]] = {
    "size": ("size", number),
    "last-modified": ("modified_at", moment),
    "encoding": ("encoding", _word),
    "EOL": ("end_of_line", _word),
}
_QUEUE: Final[Mapping[str, tuple[str, _Read]]] = {
    "messageCount": ("message_count", number),
    "messageLength": ("message_length", number),
    "messageId": ("message_or_group_id", _word),
    # The group's id, where the file was split: it replaces the message's.
    "groupId": ("message_or_group_id", _word),
    "delimiterType": ("delimiter_type", _word),
    "delimiter": ("delimiter", _word),
    "delimiterPosition": ("delimiter_position", _word),
    "includeDelimiterInMessage": ("include_delimiter", yes_no),
    "setMqProps": ("set_mq_properties", yes_no),
}
_DATASET: Final[Mapping[str, tuple[str, _Read]]] = {"size": ("size", number), "attributes": ("attributes", _word)}


def _attributes(element: Element, table: Mapping[str, tuple[str, _Read]]) -> Iterator[tuple[str, Any]]:
    for name, (leaf, read) in table.items():
        value = read(element.get(name))
        if value is not None:
            yield leaf, value


def side_leaves(side: Element | None, own: Mapping[str, str]) -> dict[str, Any]:
    """Return the leaves of a source or destination; `own` maps attributes of that side alone to leaves."""
    if side is None:
        return {}
    leaves: dict[str, Any] = {leaf: value for name, leaf in own.items() if (value := attribute(side, name))}
    kind, element = _place(side)
    leaves["type"] = kind
    if element is not None:
        leaves["path" if kind == "file" else "name"] = (element.text or "").strip()
        leaves.update(_attributes(element, {"file": _FILE, "queue": _QUEUE, "dataset": _DATASET}[kind]))
    method = _CHECKSUMS.get(attribute(side.find("checksum"), "method").lower().replace("-", ""))
    if method and (value := text_of(side, "checksum")):
        leaves[method] = value.lower()
    return leaves


def _place(side: Element) -> tuple[str, Element | None]:
    """Return the kind of a side and the element that names it; a data set may be named by an element `file`."""
    for kind in ("queue", "dataset"):
        if (found := side.find(kind)) is not None:
            return kind, found
    declared = attribute(side, "type").lower()
    if declared == "queue":
        return "queue", None
    return ("dataset" if declared.endswith(_DATASETS) else "file"), side.find("file")


def read_item(element: Element, default_state: str) -> tuple[dict[str, Any], str]:
    """Return the leaves of an item, and its outcome: `failed`, `warning` or an empty text."""
    status = element.find("status")
    outcome = item_outcome(status)
    state, warning = outcome or (default_state, False)
    leaves: dict[str, Any] = {"mode": "text" if attribute(element, "mode") == "text" else "binary"}
    if state:
        leaves |= {"state": state, "description": item_description(state, supplement_of(status))}
    sides = (("source", {"disposition": "disposition"}), ("destination", {"exist": "if_exists"}))
    for side, own in sides:
        leaves |= {f"{side}.{name}": value for name, value in side_leaves(element.find(side), own).items()}
    return leaves, "failed" if state == "failed" and outcome else "warning" if warning else ""


def current_leaves(current: Element) -> dict[str, Any]:
    """Return the leaves of the item that a status message shows while its bytes move (196)."""
    leaves: dict[str, Any] = {"state": "inProgress"}
    for side, attribute_name in (("source", "size"), ("destination", "transferred")):
        values = side_leaves(current.find(side), {})
        size = number(current.get(attribute_name))
        if size is not None and values.get("type") != "queue":
            values["size"] = size
        leaves |= {f"{side}.{name}": values[name] for name in ("type", "path", "name", "size") if name in values}
    return leaves
