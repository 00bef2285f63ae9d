"""Parse names and query parameters of the monitor resource (1.L)."""

import re
from dataclasses import dataclass
from typing import Any, Final

from mqmft_svc.domain.monitors import STATES, TYPES, Monitor
from mqmft_svc.errors import MonitorNameInvalid
from mqmft_svc.schemas import attributes
from mqmft_svc.schemas.agent_queries import agent_name, name_pattern
from mqmft_svc.schemas.attributes import Selection, leaves
from mqmft_svc.schemas.monitor_bodies import LONGEST_NAME, monitor_name
from mqmft_svc.schemas.queries import Pairs, given_once, selection_of, single_of, value_of, wildcards
from mqmft_svc.settings import Settings

_ANY: Final = "*"
_FILTERS: Final = ("name", "agentName", "state", "type")
_KNOWN: Final[dict[str, Any]] = {
    **leaves("name type agentName state"),
    "general": leaves("pollInterval pollIntervalUnit matchesPerTask"),
    "resource": leaves("name recursionLevel"),
    "triggerCondition": leaves(
        "type includePattern excludePattern matchPattern noFileSizeChangePollCount fileSize fileSizeUnit"
    ),
    **leaves("transferDefinition userProperties defaultVariables triggerFileContentFormat"),
}


@dataclass(frozen=True, kw_only=True)
class MonitorQuery:
    """The parameters of a list: filters that a monitor has to match, each None for any, and the attributes to show."""

    name: re.Pattern[str] | None = None
    agent: re.Pattern[str] | None = None
    state: str | None = None
    type: str | None = None
    selection: Selection = attributes.DEFAULT

    def matches(self, monitor: Monitor, state: str) -> bool:
        """Return whether a monitor in `state` matches every filter (185)."""
        return (
            (self.name is None or self.name.fullmatch(monitor.name) is not None)
            and (self.agent is None or self.agent.fullmatch(monitor.agent) is not None)
            and self.state in (None, state)
            and self.type in (None, monitor.type)
        )


@dataclass(frozen=True)
class Place:
    """Whose monitor is meant: the agent and its queue manager in upper case, None where they are not named (189)."""

    agent: str | None = None
    qmgr: str | None = None


def list_query(pairs: Pairs, settings: Settings) -> MonitorQuery:
    """Read the parameters of `GET monitor`; raises the 400s of 31-34, 48 and 185."""
    given = given_once(pairs, {"attributes", *_FILTERS}, settings)
    agent = given.get("agentName", _ANY)
    return MonitorQuery(
        name=_name_pattern(given["name"]) if given.get("name", _ANY) != _ANY else None,
        agent=name_pattern(agent) if agent != _ANY else None,
        state=value_of(given, "state", STATES),
        type=value_of(given, "type", TYPES),
        selection=selection_of(given, _KNOWN),
    )


def single_query(pairs: Pairs, settings: Settings) -> Selection:
    """Read the parameters of `GET monitor/{name}`; raises the 400s of 31-34 and 48."""
    return single_of(pairs, settings, _KNOWN, "monitors", _FILTERS)


def place_query(pairs: Pairs, settings: Settings) -> Place:
    """Read the parameters of `DELETE monitor/{name}` and of its history; raises the 400s of 48 (189)."""
    given = given_once(pairs, {"agent", "agentQmgr"}, settings)
    return Place(
        agent=agent_name(given["agent"]) if "agent" in given else None,
        qmgr=given["agentQmgr"].upper() if "agentQmgr" in given else None,
    )


def name_of(text: str) -> str:
    """Return the name in a path in upper case; MonitorNameInvalid. A slash at the end is the path's (3)."""
    return monitor_name(text.removesuffix("/"))


def _name_pattern(text: str) -> re.Pattern[str]:
    if len(text) > LONGEST_NAME:
        raise MonitorNameInvalid(name=text[:LONGEST_NAME])
    return wildcards(text.upper())
