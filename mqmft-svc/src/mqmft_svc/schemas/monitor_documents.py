"""Render a monitor as the JSON values of an answer (185)."""

from collections.abc import Mapping
from typing import Any, Final

from mqmft_svc.domain.call_secrets import HIDDEN
from mqmft_svc.domain.calls import AFTER, BEFORE, shown_url
from mqmft_svc.domain.monitors import Monitor

_MORE: Final = (
    *("general", "resource", "triggerCondition", "transferDefinition"),
    *("userProperties", "defaultVariables"),
)


def default_document(monitor: Monitor, state: str) -> dict[str, Any]:
    """Return the default attributes."""
    return {"name": monitor.name, "type": monitor.type, "agentName": monitor.agent, "state": state}


def whole_document(monitor: Monitor, state: str) -> dict[str, Any]:
    """Return all attributes; files that list other files are not read, so that nothing is known of their format."""
    more = {name: monitor.document[name] for name in _MORE}
    more["transferDefinition"] = _without_secrets(monitor.definition)
    return {**default_document(monitor, state), **more, "triggerFileContentFormat": {}}


def _without_secrets(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition whose calls have no path and no query in their URLs, and no values in their headers."""
    transfer_set = dict(definition["transferSet"])
    for name in (*BEFORE, *AFTER):
        if call := transfer_set.get(name):
            shown: dict[str, Any] = {"url": shown_url(call["url"])}
            if call.get("headers"):
                shown["headers"] = dict.fromkeys(call["headers"], HIDDEN)
            transfer_set[name] = {**call, **shown}
    return {**definition, "transferSet": transfer_set}
