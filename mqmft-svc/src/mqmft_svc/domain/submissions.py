"""The request of a managed transfer, as `POST transfer` states it (1.J)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self

from mqmft_svc.domain.calls import CallRequest
from mqmft_svc.domain.schedules import ScheduleRequest

Kind = Literal["file", "directory", "queue", "dataset", "pds", "filespace"]
EndOfLine = Literal["LF", "CRLF"]

# What only an agent on z/OS can carry out (178).
ZOS: Final = ("dataset", "pds", "filespace")
FOREVER: Final = -1


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source of an item; `encoding` and `end_of_line` count in text mode alone (158-168).

    `message_wait_s` is how long to wait for the first message of a queue.
    """

    name: str
    type: Kind = "file"
    recursive: bool = False
    disposition: Literal["leave", "delete"] = "leave"
    encoding: str = "UTF-8"
    end_of_line: EndOfLine = "LF"
    delimiter: str = ""
    delimiter_position: Literal["", "prefix", "postfix"] = ""
    message_wait_s: int = 0
    use_groups: bool = False


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The destination of an item; `encoding` and `end_of_line` count in text mode alone (158-167)."""

    name: str
    type: Kind = "file"
    if_exists: Literal["error", "overwrite"] = "error"
    encoding: str = "UTF-8"
    end_of_line: EndOfLine = "LF"
    delimiter_type: Literal["", "binary", "size"] = ""
    delimiter: str = ""
    delimiter_position: Literal["", "prefix", "postfix"] = ""
    include_delimiter: bool = False
    set_mq_properties: bool = False


@dataclass(frozen=True, kw_only=True)
class ItemRequest:
    """One element of `transferSet.item`: a file, a directory, a pattern of names or a queue, and where it goes.

    `recursive` of a directory or a pattern takes the files of the folders below as well.
    """

    source: Source
    destination: Destination
    mode: Literal["binary", "text"] = "binary"
    checksum: Literal["md5", "none"] = "md5"

    @property
    def has_queue(self) -> bool:
        """Whether one of its sides is a queue."""
        return "queue" in (self.source.type, self.destination.type)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, of which `from_json` makes the same request."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the request of plain data."""
        sides = {"source": Source(**value["source"]), "destination": Destination(**value["destination"])}
        return cls(**{**value, **sides})


@dataclass(frozen=True, kw_only=True)
class AgentRequest:
    """An agent as a request names it; both names in upper case, which is how they are compared (155)."""

    name: str
    qmgr: str


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A managed transfer that was asked for.

    `recovery_timeout` is in seconds: how long recovery goes on, `FOREVER` until it works. `retry_count` is how often an
    item is tried again after an error that may heal. `calls` are by their names (173).
    """

    source_agent: AgentRequest
    destination_agent: AgentRequest
    items: tuple[ItemRequest, ...]
    job_name: str = ""
    priority: int = 0
    recovery_timeout: int = FOREVER
    retry_count: int = 3
    user_properties: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, CallRequest] = field(default_factory=dict)
    schedule: ScheduleRequest | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data, of which `from_json` makes the same submission."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the submission of plain data."""
        agents = {name: AgentRequest(**value[name]) for name in ("source_agent", "destination_agent")}
        schedule = ScheduleRequest(**value["schedule"]) if value.get("schedule") else None
        items = tuple(map(ItemRequest.from_json, value["items"]))
        calls = {name: CallRequest.from_json(call) for name, call in value.get("calls", {}).items()}
        return cls(**{**value, **agents, "items": items, "calls": calls, "schedule": schedule})

    @property
    def malformed(self) -> str:
        """Why no agent of this hub can carry the request out, "" where one can (178)."""
        for place, item in enumerate(self.items):
            if item.source.type == item.destination.type == "queue":
                return f"item {place} goes from a queue to a queue, and one of its sides has to be a file"
            for side, kind in (("source", item.source.type), ("destination", item.destination.type)):
                if kind in ZOS:
                    return f"the {side} of item {place} is a {kind}, which only an agent on z/OS has"
        return ""
