"""Render an agent as the JSON values of an answer (181, 182)."""

import platform
from typing import Any

from mft_common.clock import iso
from mqmft_svc import SERVICE, __version__
from mqmft_svc.domain.agents import PROBE_EVERY_S, STARTING, Agent, Status


def default_document(agent: Agent, status: Status, now: int) -> dict[str, Any]:
    """Return the default attributes (181)."""
    return {"name": agent.name, "type": agent.type, "state": status.state(now)}


def whole_document(agent: Agent, status: Status, now: int) -> dict[str, Any]:
    """Return all attributes; an agent that was not probed yet has no age and no time of its status (182)."""
    probed = status.finding != STARTING
    return {
        **default_document(agent, status, now),
        "general": {
            "description": agent.description,
            "statusAge": _age(now - status.at) if probed else "",
            "version": __version__,
            "level": f"{SERVICE}-{__version__}",
            "statusPublicationRate": PROBE_EVERY_S,
            "statusPublishTime": iso(status.at) if probed else "",
            "maximumQueuedTransfers": agent.maximum_queued_transfers,
            "maximumSourceTransfers": agent.maximum_source_transfers,
            "maximumDestinationTransfers": agent.maximum_destination_transfers,
            "operatingSystem": platform.system(),
            "timeZone": agent.timezone,
        },
        "qmgrConnection": {
            "qmgrName": agent.qmgr,
            # An agent without a message broker is part of the hub, and connects to nothing.
            "transportType": "client" if agent.queues else "bindings",
        },
    }


def _age(milliseconds: int) -> str:
    """Return a time span as hh:mm:ss; hours may have more digits."""
    seconds = max(milliseconds, 0) // 1000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
