"""Know the roles and topics of the protocol, and which of them a caller has (15-19)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# All roles, in the order in which answers name them (145).
ROLES: Final = ("MFTWebAdmin", "MFTWebAdminRO", "MQWebUser", "MQWebAdmin", "MQWebAdminRO")
READERS: Final = ("MFTWebAdmin", "MFTWebAdminRO", "MQWebUser")
WRITERS: Final = ("MFTWebAdmin", "MQWebUser")
# The topics of each resource; some have two spellings (16).
_TOPIC_ROOT: Final = "SYSTEM.FTE"
TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "transfer": (f"{_TOPIC_ROOT}/Transfer", f"{_TOPIC_ROOT}/Transfers"),
    "call": (f"{_TOPIC_ROOT}/Transfer", f"{_TOPIC_ROOT}/Transfers"),
    "agent": (f"{_TOPIC_ROOT}/Agents",),
    "monitor": (f"{_TOPIC_ROOT}/Monitor", f"{_TOPIC_ROOT}/Monitors"),
}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The account that calls, its roles and topics; `mechanism` is form, basic or noSecurity (145)."""

    user: str
    roles: tuple[str, ...]
    topics: tuple[str, ...] = ()
    mechanism: str = "basic"

    def may_subscribe(self, resource: str) -> bool:
        """Return whether the topics cover one of the resource's, or the root above them all (16)."""
        granted = {topic.removesuffix("/#") for topic in self.topics}
        return not granted.isdisjoint({_TOPIC_ROOT, *TOPICS[resource]})
