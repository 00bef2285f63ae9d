"""Read requests, templates and scheduled transfers as bodies of a request (1.J)."""

import re
from typing import Any, Final

from mqmft_svc.schemas.definitions.items import read_item
from mqmft_svc.schemas.definitions.nodes import Node, one_line

_SYSTEM_KEYS: Final = "com.ibm.wmqfte."
_CALLS: Final = ("preSourceCall", "postSourceCall", "preDestinationCall", "postDestinationCall")
_START: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)")
_INTERVALS: Final = ("minutes", "hours", "days", "weeks", "months", "years")
_TIME_BASES: Final = ("admin", "source", "utc")
_MOST_PRIORITY: Final = 9


def read_transfer(node: Node, *, schedule: bool = True) -> dict[str, Any] | None:
    """Return the body of a managed transfer or template; None where it has no agents or no items.

    `schedule` is false where a schedule has no meaning, in the task of a monitor.
    """
    node.ignore("originator")
    body: dict[str, Any] = {}
    if job := node.child("job"):
        body["job"] = {"name": job.text_of("name")}
    for side in ("sourceAgent", "destinationAgent"):
        body[side] = _agent(node, side)
        if not body[side]["name"]:
            node.refuse("it names no source agent or no destination agent")
            return None
    files = node.child("transferSet") or node.child("fileSpecs")
    items = [] if files is None else [read for item in files.children("item") if (read := read_item(item))]
    if not items:
        node.refuse("it has no item")
        return None
    body["transferSet"] = {"item": items, **_options(node, files)}
    _refuse_calls(node, files)
    for name, reason in (("trigger", "the hub starts no transfer on such a condition"), ("reply", "it is IBM's own")):
        if found := node.child(name):
            found.refuse(reason)
    if planned := node.child("schedule"):
        if schedule:
            _add_schedule(planned, body)
        else:
            planned.refuse("the transfers of a monitor begin when it finds something")
    return body


def _agent(node: Node, side: str) -> dict[str, str]:
    """Return an agent: a request names it in one element, a template in two."""
    agent = node.child(side)
    name = agent.attribute("agent") if agent else node.text_of(f"{side}Name")
    qmgr = agent.attribute("QMgr") if agent else node.text_of(f"{side}QMgr")
    return {"name": name.upper(), "qmgrName": qmgr}


def _options(node: Node, files: Node | None) -> dict[str, Any]:
    """Return priority, times of recovery and properties, which stand at the transfer or at its set."""
    found: dict[str, Any] = {}
    for place in (node,) if files is None else (node, files):
        for name, least, most in (("priority", 0, _MOST_PRIORITY), ("recoveryTimeout", -1, 10**9)):
            text = place.attribute(name) or place.text_of(name)
            if not text:
                continue
            if re.fullmatch(r"-?[0-9]{1,10}", text) and least <= int(text) <= most:
                found[name] = int(text)
            else:
                place.note(f"{name} is not carried over: {one_line(text)!r}")
        if metadata := place.child("metaDataSet"):
            own = {each.attribute("key"): each.text for each in metadata.children("metaData")}
            properties = {key: value for key, value in own.items() if key and not key.startswith(_SYSTEM_KEYS)}
            if properties:
                found.setdefault("userProperties", {}).update(properties)
    return found


def _refuse_calls(node: Node, files: Node | None) -> None:
    places = [node] if files is None else [node, files]
    for call in (call for place in places for name in _CALLS for call in place.children(name)):
        call.refuse("the hub runs no programs of its host; see `http` calls")


def _add_schedule(schedule: Node, body: dict[str, Any]) -> None:
    submit = schedule.child("submit")
    start = _START.match(submit.text) if submit else None
    schedule.ignore("next")
    if submit is None or start is None:
        schedule.refuse("it has no time of the first transfer")
        return
    base = (submit.attribute("timebase") or "admin").lower()
    zone = submit.attribute("timezone")
    if base not in _TIME_BASES:
        submit.note(f"the time base {one_line(base)!r} is not known; 'admin' is written")
        base = "admin"
    if zone.upper() in {"UTC", "GMT", "ETC/UTC"}:
        base = "utc"
    elif zone:
        where = "of the hub" if base == "admin" else "of the source agent's `timezone`"
        submit.note(f"the time zone {one_line(zone)} is not carried over; the time is one {where}")
    planned: dict[str, Any] = {"startTime": start[1], "timeBase": base}
    if repeat := schedule.child("repeat"):
        _add_repeat(repeat, planned)
    body["scheduleTransfer"] = planned


def _add_repeat(repeat: Node, planned: dict[str, Any]) -> None:
    frequency = repeat.child("frequency")
    interval = frequency.attribute("interval").lower() if frequency else ""
    if frequency is None or interval not in _INTERVALS or not re.fullmatch("[0-9]{1,9}", frequency.text):
        repeat.refuse("it has no interval that the hub knows")
        return
    planned |= {"occurrenceInterval": interval, "occurrenceFrequency": int(frequency.text)}
    count, end = repeat.child("expireCount"), repeat.child("expireTime")
    if count:
        if re.fullmatch("[0-9]{1,9}", count.text):
            planned["occurrenceCount"] = int(count.text)
        else:
            count.refuse(f"{one_line(count.text)!r} is no number")
    if end:
        if found := _START.match(end.text):
            planned["endTime"] = found[1]
        else:
            end.refuse(f"{one_line(end.text)!r} is no time")
