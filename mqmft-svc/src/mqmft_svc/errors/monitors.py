"""Errors of the resource `monitor` (125)."""

# ruff: noqa: N818 -- they are all RestErrors, and the name of each is a condition

from mqmft_svc.errors.base import RestError


class MonitorNameInvalid(RestError):
    """A text that can be no monitor's name (186)."""

    msg_id = "MQWB0975E"
    status = 400
    message = "'{name}' is no monitor's name."
    explanation = (
        "A name has 1 to 256 printable characters, none of which is an asterisk, %, ?, a slash or a backslash."
    )
    action = "Correct the name; in a filter an asterisk stands for any characters."


class NoSuchMonitor(RestError):
    """No monitor has that name, or none of that agent (185, 189)."""

    msg_id = "MQWB0975E"
    status = 404
    message = "There is no monitor '{name}'{where}."
    explanation = "No monitor of that name exists, or it belongs to another agent."
    action = "Check the name, or ask for the list of monitors."


class MonitorAmbiguous(RestError):
    """A name that monitors of several agents have (189)."""

    msg_id = "MQWB0975E"
    status = 400
    message = "The monitor '{name}' exists at several agents: {agents}."
    explanation = "A name is a monitor's own among those of one agent alone."
    action = "Name the agent with the parameter 'agent'."


class MonitorDeclared(RestError):
    """A request to delete a monitor of the configuration (189)."""

    msg_id = "MQWB0975E"
    status = 400
    message = "The monitor '{name}' of the agent '{agent}' is declared in crossdock.yaml, and no request deletes it."
    explanation = "The hub would create it again at its next start, or when its configuration is applied."
    action = "Ask the operator of the hub to remove it from the list 'monitors' of crossdock.yaml, and to apply that."


class TooManyMonitors(RestError):
    """A monitor beyond those that the hub looks at (186, MQMFT_MAX_MONITORS)."""

    msg_id = "MQWB0971E"
    status = 400
    message = "The monitor is refused: there are {most} monitors already."
    explanation = "Requests create no further monitor where there are as many as the setting MQMFT_MAX_MONITORS says."
    action = "Delete monitors that are not needed, or ask the operator of the hub for a higher limit."


class MonitorExists(RestError):
    """A name that a monitor of the agent has already (186)."""

    msg_id = "MQWB0977E"
    status = 400
    message = "The agent '{agent}' has a monitor '{name}' already."
    explanation = "Monitors of one agent have different names, whatever the case of their letters."
    action = "Delete the other monitor first, or use another name."
