"""Read requests, templates and scheduled transfers as bodies of a request (1.J)."""

import re
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from mqmft_svc.schemas.definitions.items import read_item
from mqmft_svc.schemas.definitions.nodes import Node, one_line

_SYSTEM_KEYS: Final = "com.ibm.wmqfte."
_CALLS: Final = ("preSourceCall", "postSourceCall", "preDestinationCall", "postDestinationCall")
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:(Z)|([+-])(\d\d):?(\d\d))?", re.ASCII | re.IGNORECASE
)
_UTC: Final = frozenset(("UTC", "GMT", "ETC/UTC"))
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
    start = _time(submit.text) if submit else None
    schedule.ignore("next")
    if submit is None or start is None:
        schedule.refuse("it has no time of the first transfer")
        return
    base = (submit.attribute("timebase") or "admin").lower()
    zone = submit.attribute("timezone")
    if base not in _TIME_BASES:
        submit.note(f"the time base {one_line(base)!r} is not known; 'admin' is written")
        base = "admin"
    moment, offset = start
    if zone.upper() in _UTC or (offset is not None and not zone):
        base = "utc"
        moment = _in_utc(moment, offset)
        if offset:
            submit.note("its distance from UTC is not carried over; it and further times are written in UTC")
    elif zone:
        where = "of the hub" if base == "admin" else "of the source agent's `timezone`"
        submit.note(f"the time zone {one_line(zone)} is not carried over; the time is one {where}")
    planned: dict[str, Any] = {"startTime": moment, "timeBase": base}
    if repeat := schedule.child("repeat"):
        _add_repeat(repeat, planned, offset)
    body["scheduleTransfer"] = planned


def _time(text: str) -> tuple[str, timedelta | None] | None:
    """Return date and time of a text, and how far they are ahead of UTC where it says so; None for no time."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    if found[2]:
        return found[1], timedelta()
    if not found[3]:
        return found[1], None
    return found[1], (-1 if found[3] == "-" else 1) * timedelta(hours=int(found[4]), minutes=int(found[5]))


def _in_utc(moment: str, offset: timedelta | None) -> str:
    """Return a date and time in UTC; a date that does not exist stays as it is, and is refused later."""
    with suppress(ValueError, OverflowError):
        return (datetime.fromisoformat(moment) - (offset or timedelta())).strftime("%Y-%m-%dT%H:%M")
    return moment


def _add_repeat(repeat: Node, planned: dict[str, Any], offset: timedelta | None) -> None:
    """Add how a schedule repeats; `offset` is that of its start, which counts for an end without one."""
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
        if found := _time(end.text):
            utc = planned["timeBase"] == "utc"
            planned["endTime"] = _in_utc(found[0], offset if found[1] is None else found[1]) if utc else found[0]
        else:
            end.refuse(f"{one_line(end.text)!r} is no time")
