"""Make the body of a `POST transfer` from the words of a command line, or read it from a file."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mqmft_svc import wire
from mqmft_svc.errors import BodyTooLarge

_JSON: Final = "application/json"
_STDIN: Final = Path("-")
_WILDCARDS: Final = frozenset("*?")
SCHEDULE_WORDS: Final = ("start", "time_base", "every", "count", "end")


@dataclass(frozen=True, kw_only=True)
class Words:
    """One item and its agents, as they are written on a command line; None stands for the default of the protocol."""

    source_agent: str
    destination_agent: str
    source: str
    destination: str
    text: bool = False
    recursive: bool = False
    delete_source: bool = False
    if_exists: str | None = None
    checksum: str | None = None
    job: str | None = None
    priority: int | None = None
    recovery_timeout: int | None = None
    retries: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    start: str | None = None
    time_base: str | None = None
    every: tuple[int, str] | None = None
    count: int | None = None
    end: str | None = None

    def body(self, qmgr_of: Callable[[str], str]) -> dict[str, Any]:
        """Return the body of the request; `qmgr_of` returns the queue manager of an agent.

        A source that ends with a slash is a directory, and so is one for `recursive` that is no pattern.
        """
        folder = self.source.endswith("/") or (self.recursive and _WILDCARDS.isdisjoint(self.source))
        item = {
            "mode": "text" if self.text else "binary",
            "checksum": self.checksum,
            "source": {
                "name": self.source,
                "type": "directory" if folder else "file",
                "recursive": self.recursive,
                "disposition": "delete" if self.delete_source else "leave",
            },
            "destination": {
                "name": self.destination,
                "type": "directory" if self.destination.endswith("/") else "file",
                "actionIfExists": self.if_exists,
            },
        }
        schedule = {name: getattr(self, name) for name in SCHEDULE_WORDS}
        return {
            "job": {"name": self.job},
            "sourceAgent": {"name": self.source_agent, "qmgrName": qmgr_of(self.source_agent)},
            "destinationAgent": {"name": self.destination_agent, "qmgrName": qmgr_of(self.destination_agent)},
            "transferSet": {
                "item": [item],
                "priority": self.priority,
                "recoveryTimeout": self.recovery_timeout,
                "retryCount": self.retries,
                "userProperties": dict(self.properties),
            },
            "scheduleTransfer": scheduled(**schedule),
        }


def scheduled(
    *, start: str | None, time_base: str | None, every: tuple[int, str] | None, count: int | None, end: str | None
) -> dict[str, Any] | None:
    """Return the `scheduleTransfer` of the words of a schedule, None where there is none."""
    frequency, interval = (None, None) if every is None else every
    schedule = {
        "startTime": start,
        "timeBase": time_base,
        "occurrenceInterval": interval,
        "occurrenceFrequency": frequency,
        "occurrenceCount": count,
        "endTime": end,
    }
    return schedule if any(value is not None for value in schedule.values()) else None


def with_schedule(body: Mapping[str, Any], words: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a body with the schedule of these words in the place of its own; without words as it is."""
    schedule = scheduled(**{name: words[name] for name in SCHEDULE_WORDS})
    return body if schedule is None else {**body, "scheduleTransfer": schedule}


def read(file: Path) -> dict[str, Any]:
    """Return the body in a file, of `-` from standard input; BodyTooLarge or BodyNotJson as for the API."""
    if file == _STDIN:
        body = sys.stdin.buffer.read(wire.MAX_BODY + 1)
    else:
        with file.open("rb") as opened:
            body = opened.read(wire.MAX_BODY + 1)
    if len(body) > wire.MAX_BODY:
        raise BodyTooLarge
    return wire.json_body(_JSON, body)
