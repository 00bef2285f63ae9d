"""Render a monitor as the JSON values of an answer (185)."""

from typing import Any, Final

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
    return {**default_document(monitor, state), **more, "triggerFileContentFormat": {}}
