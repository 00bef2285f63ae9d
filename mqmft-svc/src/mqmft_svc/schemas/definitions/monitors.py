"""Read resource monitors as bodies of a request (1.L)."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mqmft_svc.schemas.definitions.nodes import Node, one_line
from mqmft_svc.schemas.definitions.transfers import read_transfer

_UNITS: Final = ("seconds", "minutes", "hours", "days")
_SIZE_UNITS: Final = {"b": "bytes", "bytes": "bytes", "kb": "KB", "mb": "MB", "gb": "GB"}
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z0-9_.]+)")
# The variables that a monitor of the hub replaces (188).
_VARIABLES: Final = frozenset(
    ("filepath", "filename", "filesize", "lastmodifiedtime", "agentname", "queuename", "currenttimestamp")
)


def read_monitor(node: Node) -> dict[str, Any] | None:
    """Return the body of a monitor; None where it has nothing to look at, no condition or no transfer to start."""
    node.ignore("originator")
    body: dict[str, Any] = {"name": node.text_of("name").upper(), "agentName": node.text_of("agent").upper()}
    resource, trigger = _resource(node, body), _trigger(node)
    definition = _task(node)
    if not (body["name"] and body["agentName"] and resource and trigger and definition):
        node.refuse("it lacks a name, an agent, a resource, a condition or a transfer that the hub can use")
        return None
    body |= {"resource": resource, "triggerCondition": trigger, "transferDefinition": definition}
    body["general"] = _general(node)
    if job := node.child("job"):
        definition.setdefault("job", {"name": job.text_of("name")})
    if variables := node.child("defaultVariables"):
        body["defaultVariables"] = {each.attribute("key"): each.text for each in variables.children("variable")}
    if content := node.child("triggerFileContent"):
        content.refuse("files that list other files are not read")
    _note_variables(node, definition, body.get("defaultVariables", {}))
    return body


def _general(node: Node) -> dict[str, Any]:
    general: dict[str, Any] = {}
    if interval := node.child("pollInterval"):
        units = interval.attribute("units").lower() or "minutes"
        if units in _UNITS and re.fullmatch("[0-9]{1,9}", interval.text):
            general |= {"pollInterval": int(interval.text), "pollIntervalUnit": units}
        else:
            interval.refuse("it is no number of seconds, minutes, hours or days")
    if batch := node.child("batch"):
        most = batch.attribute("maxSize")
        if re.fullmatch("[0-9]{1,9}", most):
            general["matchesPerTask"] = int(most)
        else:
            batch.refuse("its size is no number")
    return general


def _resource(node: Node, body: dict[str, Any]) -> dict[str, Any] | None:
    resources = node.child("resources")
    if resources is None:
        return None
    if folder := resources.child("directory"):
        body["type"] = "directory"
        levels = _count(folder, "recursionLevel", 0)
        return {"name": folder.text, "recursionLevel": levels} if folder.text else None
    if queue := resources.child("queue"):
        body["type"] = "queue"
        return {"name": queue.text} if queue.text else None
    return None


def _count(node: Node, name: str, default: int) -> int:
    """Return a number of an attribute, the default for none; for what is no number too, which is noted."""
    text = node.attribute(name)
    if re.fullmatch("[0-9]{1,9}", text):
        return int(text)
    if text:
        node.note(f"{name}={one_line(text)!r} is no number; {default} is written")
    return default


def _trigger(node: Node) -> dict[str, Any] | None:
    match = node.child("triggerMatch")
    conditions = match.child("conditions") if match else None
    if conditions is None:
        return None
    group = conditions.child("allOf") or conditions.child("anyOf")
    condition = group.child("condition") if group else conditions.child("condition")
    if condition is None:
        return None
    condition.ignore("name")
    for kind in condition.all_children():
        if (read := _CONDITIONS.get(kind.tag)) is not None:
            return read(kind)
    return None


def _patterns(kind: Node) -> dict[str, Any]:
    """Return the patterns of names; a wildcard beside a regular expression becomes one, as both are of one kind."""
    found: dict[str, Any] = {}
    wildcards = []
    for name, key in (("pattern", "includePattern"), ("exclude", "excludePattern")):
        if (pattern := kind.child(name)) and pattern.text:
            found[key] = pattern.text
            if pattern.attribute("type").lower() == "regex":
                found["matchPattern"] = "regex"
            else:
                wildcards.append(key)
    if "matchPattern" in found:
        found |= {key: _as_regex(found[key], included=key == "includePattern") for key in wildcards}
    return found


def _as_regex(wildcard: str, *, included: bool) -> str:
    """Return the regular expression of a wildcard, which includes hidden files only where it begins with a dot."""
    steps = {"*": ".*", "?": "."}
    expression = "".join(steps.get(one) or re.escape(one) for one in wildcard)
    return rf"(?!\.){expression}" if included and wildcard[:1] in steps else expression


def _file_match(kind: Node) -> dict[str, Any] | None:
    return {"type": "matchAll", **_patterns(kind)}


def _file_no_match(kind: Node) -> dict[str, Any] | None:
    return {"type": "matchNone", **_patterns(kind)}


def _file_size(kind: Node) -> dict[str, Any] | None:
    compare = kind.child("compare")
    if compare is None:
        return None
    operator, unit = compare.attribute("operator"), _SIZE_UNITS.get(compare.attribute("units").lower() or "b")
    if operator not in {"", ">="} or unit is None or not re.fullmatch("[0-9]{1,15}", compare.text):
        compare.refuse("the hub compares by >= with a number of bytes, KB, MB or GB")
        return None
    return {"type": "sizeGreaterOrEqualTo", "fileSize": int(compare.text), "fileSizeUnit": unit, **_patterns(kind)}


def _file_size_same(kind: Node) -> dict[str, Any] | None:
    return {"type": "noChangeInSize", "noFileSizeChangePollCount": _count(kind, "polls", 1), **_patterns(kind)}


_CONDITIONS: Final[Mapping[str, Callable[[Node], dict[str, Any] | None]]] = {
    "fileMatch": _file_match,
    "fileNoMatch": _file_no_match,
    "fileSize": _file_size,
    "fileSizeSame": _file_size_same,
    "queueNotEmpty": lambda _kind: {"type": "queueNotEmpty"},
    "completeGroups": lambda _kind: {"type": "completeMessageGroups"},
}


def _task(node: Node) -> dict[str, Any] | None:
    tasks = node.child("tasks")
    task = tasks.child("task") if tasks else None
    if task is None:
        return None
    task.ignore("name", "description")
    transfer = task.child("transfer")
    request = transfer.child("request") if transfer else None
    managed = request.child("managedTransfer") if request else None
    return read_transfer(managed, schedule=False) if managed else None


def _note_variables(node: Node, definition: Mapping[str, Any], defaults: Mapping[str, str]) -> None:
    """Note the variables that a monitor of the hub does not have."""
    known = _VARIABLES | {name.lower() for name in defaults}
    unknown = {name for name in _VARIABLE.findall(repr(definition)) if name.lower() not in known}
    for name in sorted(unknown):
        node.note(f"the hub has no variable {one_line(name)}")
