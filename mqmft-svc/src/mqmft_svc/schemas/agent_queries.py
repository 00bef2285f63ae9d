"""Parse names and query parameters of the agent resource (1.K)."""

import re
from dataclasses import dataclass
from typing import Any, Final

from mqmft_svc.domain.agents import STATES, TYPES, Agent
from mqmft_svc.errors import AgentNameInvalid
from mqmft_svc.schemas import attributes
from mqmft_svc.schemas.attributes import Selection, leaves
from mqmft_svc.schemas.queries import Pairs, given_once, selection_of, single_of, value_of, wildcards
from mqmft_svc.settings import Settings

_FILTERS: Final = ("name", "type", "state")
_ANY: Final = "*"
_NAME: Final = re.compile(r"[A-Za-z0-9._/]{1,28}", re.ASCII)
# A name's characters and asterisks, each of which stands for any of them, also for none.
_PATTERN: Final = re.compile(r"[A-Za-z0-9._/*]+", re.ASCII)
_KNOWN: Final[dict[str, Any]] = {
    **leaves("name type state"),
    "general": leaves(
        "description statusAge version level statusPublicationRate statusPublishTime maximumQueuedTransfers"
        " maximumSourceTransfers maximumDestinationTransfers operatingSystem timeZone"
    ),
    "qmgrConnection": leaves("qmgrName transportType"),
}


@dataclass(frozen=True, kw_only=True)
class AgentQuery:
    """The parameters of a list: filters that an agent has to match, each None for any, and the attributes to show."""

    name: re.Pattern[str] | None = None
    type: str | None = None
    state: str | None = None
    selection: Selection = attributes.DEFAULT

    def matches(self, agent: Agent, state: str) -> bool:
        """Return whether an agent in `state` matches every filter (183)."""
        return (
            (self.name is None or self.name.fullmatch(agent.name) is not None)
            and self.type in (None, agent.type)
            and self.state in (None, state)
        )


def list_query(pairs: Pairs, settings: Settings) -> AgentQuery:
    """Read the parameters of `GET agent`; raises the 400s of 31-34, 48 and 183."""
    given = given_once(pairs, {"attributes", *_FILTERS}, settings)
    return AgentQuery(
        name=name_pattern(given["name"]) if given.get("name", _ANY) != _ANY else None,
        type=value_of(given, "type", TYPES, "all"),
        state=value_of(given, "state", STATES),
        selection=selection_of(given, _KNOWN),
    )


def single_query(pairs: Pairs, settings: Settings) -> Selection:
    """Read the parameters of `GET agent/{name}`; raises the 400s of 31-34, 48 and 183."""
    return single_of(pairs, settings, _KNOWN, "agents", _FILTERS)


def agent_name(text: str) -> str:
    """Return the name in a path in upper case; AgentNameInvalid for what can be no name (181).

    A slash at the end is the path's (3).
    """
    name = text.removesuffix("/")
    if not _NAME.fullmatch(name):
        raise AgentNameInvalid(name=name)
    return name.upper()


def name_pattern(text: str) -> re.Pattern[str]:
    """Return the expression of a filter for agents' names; AgentNameInvalid."""
    if not _PATTERN.fullmatch(text):
        raise AgentNameInvalid(name=text)
    return wildcards(text.upper())
